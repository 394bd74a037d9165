/*
 * A System V semaphore, semop(2): SEM_UNDO. A container that ends without giving back what it took gives it back all the
 * same, so nobody waits for it for ever.
 */
#include "examples.h"

#include <stdio.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#define KEY 0x6b657973

/* The first semaphore is the key of a room, the second says that the guest is in. */
enum { ROOM, IS_IN, COUNT };

static int operate(int set, unsigned short number, short change, short flags)
{
	struct sembuf operation = { .sem_num = number, .sem_op = change, .sem_flg = flags };
	return semop(set, &operation, 1);
}

int system_v_semaphore(const char *role, const char *name)
{
	int set = semget(KEY, COUNT, IPC_CREAT | 0600);
	if (set < 0)
		return failed("semget");
	if (is(role, "guest")) {
		/* Waits until the host has put the key there. */
		if (operate(set, ROOM, -1, SEM_UNDO) != 0 || operate(set, IS_IN, 1, 0) != 0)
			return failed("semop");
		printf("%s: took the key, and leaves with it\n", name);
		return 0;
	}
	if (operate(set, ROOM, 1, 0) != 0 || operate(set, IS_IN, -1, 0) != 0)
		return failed("semop");
	printf("%s: waits for the key\n", name);
	if (operate(set, ROOM, -1, 0) != 0)
		return failed("semop");
	printf("%s: has it back\n", name);
	return semctl(set, 0, IPC_RMID) == 0 ? 0 : failed("semctl");
}
