/* POSIX shared memory, shm_overview(7): a sensor writes measurements, a display reads them where they are. */
#include "examples.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEGMENT "/measurements"
#define COMPLETE "/complete"
#define COUNT 1000

int shared_memory(const char *role, const char *name)
{
	sem_t *complete = sem_open(COMPLETE, O_CREAT, 0600, 0);
	int fd = shm_open(SEGMENT, O_RDWR | O_CREAT, 0600);
	/* A new segment is empty; giving it the size that it has does nothing. */
	if (complete == SEM_FAILED || fd < 0 || ftruncate(fd, COUNT * sizeof(int)) != 0)
		return failed(SEGMENT);
	int *values = mmap(NULL, COUNT * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (values == MAP_FAILED)
		return failed("mmap");
	if (is(role, "sensor")) {
		for (int i = 0; i < COUNT; i++)
			values[i] = i * i;
		printf("%s: %d measurements are there\n", name, COUNT);
		return sem_post(complete) == 0 ? 0 : failed("sem_post");
	}
	if (sem_wait(complete) != 0)
		return failed("sem_wait");
	long long sum = 0;
	for (int i = 0; i < COUNT; i++)
		sum += values[i];
	printf("%s: the last is %d, the sum %lld\n", name, values[COUNT - 1], sum);
	return shm_unlink(SEGMENT) == 0 && sem_unlink(COMPLETE) == 0 ? 0 : failed("unlink");
}
