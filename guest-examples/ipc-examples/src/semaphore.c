/* A POSIX named semaphore, sem_overview(7): three programs, and two of them at a time. */
#include "examples.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>

#define SEMAPHORE "/machines"
#define MACHINES 2

int semaphore(const char *role, const char *name)
{
	(void)role; /* all do the same */
	sem_t *machines = sem_open(SEMAPHORE, O_CREAT, 0600, MACHINES);
	if (machines == SEM_FAILED)
		return failed(SEMAPHORE);
	for (int job = 1; job <= 3; job++) {
		if (sem_wait(machines) != 0)
			return failed("sem_wait");
		printf("%s: job %d begins\n", name, job);
		work(20);
		printf("%s: job %d ends\n", name, job);
		if (sem_post(machines) != 0)
			return failed("sem_post");
	}
	return sem_close(machines) == 0 ? 0 : failed("sem_close");
}
