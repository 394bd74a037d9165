/* System V semaphore sets: sysvipc(7), semget(2), semop(2), semctl(2). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* semtimedop */
#endif
#include "oracle.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <unistd.h>

/* The program defines it: semctl(2). */
union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

static int operate(int set, unsigned short number, short change, short flags)
{
	struct sembuf operation;
	operation.sem_num = number;
	operation.sem_op = change;
	operation.sem_flg = flags;
	return semop(set, &operation, 1);
}

static void making(void)
{
	CHECK_ERROR("a key that nobody has is not found", ENOENT, semget(key_of(1), 1, 0));
	int set = semget(key_of(1), 3, IPC_CREAT | IPC_EXCL | 0600);
	CHECK("a set is made for a key", set != -1);
	CHECK("the key leads to it", semget(key_of(1), 0, 0) == set && semget(key_of(1), 3, IPC_CREAT | 0600) == set);
	CHECK_ERROR("IPC_EXCL fails when the key is taken", EEXIST, semget(key_of(1), 3, IPC_CREAT | IPC_EXCL | 0600));
	CHECK_ERROR("a set has no more than it was made with", EINVAL, semget(key_of(1), 4, 0));
	CHECK_ERROR("a new set has at least one", EINVAL, semget(IPC_PRIVATE, 0, 0600));
}

static void values(int set)
{
	union semun arg;
	unsigned short all[3] = { 4, 5, 6 };
	arg.val = 7;
	CHECK("a value is set with a union", semctl(set, 1, SETVAL, arg) == 0 && semctl(set, 1, GETVAL) == 7);
	CHECK("a value is set with a number", semctl(set, 1, SETVAL, 8) == 0 && semctl(set, 1, GETVAL) == 8);
	arg.array = all;
	CHECK("all values are set", semctl(set, 0, SETALL, arg) == 0 && semctl(set, 2, GETVAL) == 6);
	memset(all, 0, sizeof all);
	CHECK("all values are told", semctl(set, 0, GETALL, all) == 0 && all[0] == 4 && all[1] == 5 && all[2] == 6);
	CHECK_ERROR("a value above 32767 is refused", ERANGE, semctl(set, 0, SETVAL, 32768));
	CHECK_ERROR("so is one below zero", ERANGE, semctl(set, 0, SETVAL, -1));
	CHECK_ERROR("a number that the set does not have", EINVAL, semctl(set, 3, GETVAL));
	struct semid_ds status;
	memset(&status, 0xff, sizeof status);
	arg.buf = &status;
	CHECK("a set tells of itself", semctl(set, 0, IPC_STAT, arg) == 0 && status.sem_nsems == 3 && (status.sem_perm.mode & 0777) == 0600);
	CHECK("when it was changed", status.sem_ctime > 0);
	CHECK("nobody waits", semctl(set, 0, GETNCNT) == 0 && semctl(set, 0, GETZCNT) == 0);
}

static void operations(int set)
{
	struct sembuf both[2] = { { 0, -4, 0 }, { 1, -6, IPC_NOWAIT } };
	CHECK_ERROR("operations happen together or not at all", EAGAIN, semop(set, both, 2));
	CHECK("so nothing has happened", semctl(set, 0, GETVAL) == 4 && semctl(set, 1, GETVAL) == 5);
	both[1].sem_op = -5;
	CHECK("both happen", semop(set, both, 2) == 0 && semctl(set, 0, GETVAL) == 0 && semctl(set, 1, GETVAL) == 0);
	CHECK("who did it is told", semctl(set, 1, GETPID) == getpid());
	CHECK("zero is waited for, and is there", operate(set, 0, 0, 0) == 0);
	CHECK_ERROR("and where it is not", EAGAIN, operate(set, 2, 0, IPC_NOWAIT));
	struct sembuf up_and_down[2] = { { 0, 1, 0 }, { 0, -1, 0 } };
	CHECK("operations see those before them", semop(set, up_and_down, 2) == 0 && semctl(set, 0, GETVAL) == 0);
	struct sembuf down = { 0, -1, 0 };
	struct timespec moment = { 0, 20000000 };
	CHECK_ERROR("waiting ends after its time", EAGAIN, semtimedop(set, &down, 1, &moment));
	CHECK_ERROR("a number that the set does not have", EFBIG, operate(set, 3, 1, 0));
	CHECK_ERROR("no operation at all is refused", EINVAL, semop(set, &down, 0));
	struct sembuf many[501];
	memset(many, 0, sizeof many);
	CHECK_ERROR("more than 500 operations are refused", E2BIG, semop(set, many, 501));
	CHECK("a value may be 32767", operate(set, 0, 32767, 0) == 0);
	CHECK_ERROR("and no more", ERANGE, operate(set, 0, 1, 0));
	CHECK("the set is removed", semctl(set, 0, IPC_RMID) == 0);
	CHECK_ERROR("a removed set is no more", EINVAL, operate(set, 0, 1, 0));
	CHECK_ERROR("and its key is free", ENOENT, semget(key_of(1), 0, 0));
}

void sysv_sem_alone(void)
{
	making();
	int set = semget(key_of(1), 3, 0600);
	values(set);
	operations(set);
}

/*
 * The second side takes two of three units for good measure, one of them with SEM_UNDO, and ends; the first gets the
 * one back. Before, they take turns on two semaphores, and the second waits for zero.
 */
#define ROUNDS 200

enum { PING, PONG, UNITS, GATE, COUNT };

void sysv_sem_first(void)
{
	int set = semget(key_of(2), COUNT, IPC_CREAT | 0600);
	CHECK("both sides find the set by a key", set != -1);
	CHECK("units are put in", operate(set, UNITS, 3, 0) == 0 && operate(set, GATE, 1, 0) == 0);
	int rounds = 0;
	for (int i = 0; i < ROUNDS; i++)
		rounds += operate(set, PING, 1, 0) == 0 && operate(set, PONG, -1, 0) == 0;
	CHECK("each operation is answered", rounds == ROUNDS);
	EVENTUALLY("the other side waits for zero", semctl(set, GATE, GETZCNT) == 1);
	CHECK("nobody waits for more", semctl(set, GATE, GETNCNT) == 0);
	CHECK("zero opens the gate", operate(set, GATE, -1, 0) == 0);
	/* It has taken all three; one comes back when it ends. */
	CHECK("what was taken comes back by SEM_UNDO", operate(set, PONG, -1, 0) == 0 && operate(set, UNITS, -1, 0) == 0);
	CHECK("and nothing more", semctl(set, UNITS, GETVAL) == 0);
	CHECK("the other side has ended", semctl(set, PING, GETVAL) == 0);
	CHECK("the set is removed", semctl(set, 0, IPC_RMID) == 0);
}

void sysv_sem_second(void)
{
	int set = semget(key_of(2), COUNT, IPC_CREAT | 0600);
	CHECK("both sides find the set by a key", set != -1);
	int rounds = 0;
	for (int i = 0; i < ROUNDS; i++)
		rounds += operate(set, PING, -1, 0) == 0 && operate(set, PONG, 1, 0) == 0;
	CHECK("each operation is waited for", rounds == ROUNDS);
	CHECK("zero is waited for", operate(set, GATE, 0, 0) == 0);
	CHECK("two units are taken for good", operate(set, UNITS, -2, 0) == 0);
	CHECK("one is taken with SEM_UNDO", operate(set, UNITS, -1, SEM_UNDO) == 0);
	CHECK("none is left", semctl(set, UNITS, GETVAL) == 0);
	CHECK("the other side may look", operate(set, PONG, 1, 0) == 0);
}
