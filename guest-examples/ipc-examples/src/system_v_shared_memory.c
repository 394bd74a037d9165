/*
 * System V shared memory, shmop(2), with a semaphore that guards it: programs that count in one place. The last one
 * removes both.
 */
#include "examples.h"

#include <stdio.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define KEY 0x636f756e
#define ROUNDS 1000

struct counter {
	int programs, count;
};

/* The semaphore is 0 while the counter is free: taking it is one operation, waiting for 0 and adding 1. */
static int take(int set)
{
	struct sembuf operations[] = {
		{ .sem_num = 0, .sem_op = 0 },
		{ .sem_num = 0, .sem_op = 1, .sem_flg = SEM_UNDO },
	};
	return semop(set, operations, 2);
}

static int give_back(int set)
{
	struct sembuf operation = { .sem_num = 0, .sem_op = -1, .sem_flg = SEM_UNDO };
	return semop(set, &operation, 1);
}

int system_v_shared_memory(const char *role, const char *name)
{
	(void)role; /* all do the same */
	int set = semget(KEY, 1, IPC_CREAT | 0600);
	int segment = shmget(KEY, sizeof(struct counter), IPC_CREAT | 0600);
	if (set < 0 || segment < 0)
		return failed("semget, shmget");
	struct counter *counter = shmat(segment, NULL, 0);
	if (counter == (void *)-1)
		return failed("shmat");
	for (int i = 0; i < ROUNDS; i++) {
		if (take(set) != 0)
			return failed("semop");
		counter->count++;
		if (give_back(set) != 0)
			return failed("semop");
	}
	if (take(set) != 0)
		return failed("semop");
	int is_last = ++counter->programs == 3;
	printf("%s: counted %d times, we are at %d\n", name, ROUNDS, counter->count);
	if (is_last) {
		printf("%s: the last one\n", name);
		shmctl(segment, IPC_RMID, NULL);
		return shmdt(counter) == 0 && semctl(set, 0, IPC_RMID) == 0 ? 0 : failed("shmdt, semctl");
	}
	shmdt(counter);
	return give_back(set) == 0 ? 0 : failed("semop");
}
