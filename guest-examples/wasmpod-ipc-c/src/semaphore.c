/*
 * sem_overview(7). A named semaphore is the host's, and the program gets the address of its descriptor; an unnamed one
 * is a number where the program put it, in a segment or in its own memory, with futexes.
 *
 * Deliberately not done: opening a name twice gives two addresses of one semaphore.
 */
#include "imports.h"

#include <limits.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdlib.h>

/* The fields of sem_t: the value or the descriptor, how many wait, and which of both it is. */
#define VALUE(sem) ((sem)->__val[0])
#define WAITING(sem) ((sem)->__val[1])
#define KIND(sem) ((sem)->__val[3])

#define NAMED 0x6e616d65

sem_t *sem_open(const char *name, int flags, ...)
{
	char host_name[NAME_BYTES];
	uint32_t descriptor, value = 0;
	if (flags & O_CREAT) {
		va_list rest;
		va_start(rest, flags);
		(void)va_arg(rest, mode_t);
		value = va_arg(rest, unsigned);
		va_end(rest);
	}
	size_t length = ipc_name(name, host_name);
	if (length == 0)
		return SEM_FAILED;
	sem_t *sem = calloc(1, sizeof *sem);
	if (!sem)
		return SEM_FAILED;
	unsigned host = ipc_open_flags(flags) & (CREATE | EXCLUSIVE);
	if (answer(ipc_sem_open(host_name, length, host, value, &descriptor)) != 0) {
		free(sem);
		return SEM_FAILED;
	}
	VALUE(sem) = (int)descriptor;
	KIND(sem) = NAMED;
	return sem;
}

int sem_close(sem_t *sem)
{
	if (KIND(sem) != NAMED)
		return answer(EINVAL);
	int error = ipc_sem_close((uint32_t)VALUE(sem));
	KIND(sem) = 0;
	free(sem);
	return answer(error);
}

int sem_unlink(const char *name)
{
	char host_name[NAME_BYTES];
	size_t length = ipc_name(name, host_name);
	return length ? answer(ipc_sem_unlink(host_name, length)) : -1;
}

int sem_init(sem_t *sem, int is_shared, unsigned value)
{
	(void)is_shared; /* where it lies decides */
	if (value > SEM_VALUE_MAX)
		return answer(EINVAL);
	VALUE(sem) = (int)value;
	WAITING(sem) = 0;
	KIND(sem) = 0;
	return 0;
}

int sem_destroy(sem_t *sem)
{
	return KIND(sem) == NAMED ? answer(EINVAL) : 0;
}

int sem_post(sem_t *sem)
{
	if (KIND(sem) == NAMED)
		return answer(ipc_sem_post((uint32_t)VALUE(sem)));
	int value = __atomic_load_n(&VALUE(sem), __ATOMIC_RELAXED);
	do {
		if (value == SEM_VALUE_MAX)
			return answer(EOVERFLOW);
	} while (!__atomic_compare_exchange_n(&VALUE(sem), &value, value + 1, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	if (__atomic_load_n(&WAITING(sem), __ATOMIC_SEQ_CST))
		ipc_wake(&VALUE(sem), 1);
	return 0;
}

/* Takes one if there is one; an errno. */
static int try_wait(sem_t *sem)
{
	if (KIND(sem) == NAMED)
		return ipc_sem_try_wait((uint32_t)VALUE(sem));
	int value = __atomic_load_n(&VALUE(sem), __ATOMIC_RELAXED);
	while (value > 0)
		if (__atomic_compare_exchange_n(&VALUE(sem), &value, value - 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return 0;
	return EAGAIN;
}

int sem_trywait(sem_t *sem)
{
	return answer(try_wait(sem));
}

int sem_timedwait(sem_t *restrict sem, const struct timespec *restrict end)
{
	int error;
	while ((error = try_wait(sem)) == EAGAIN) {
		int64_t left = end ? ipc_left(CLOCK_REALTIME, end) : FOREVER;
		if (end && left < 0)
			return answer((int)-left);
		if (KIND(sem) == NAMED)
			return answer(ipc_sem_wait((uint32_t)VALUE(sem), left));
		__atomic_add_fetch(&WAITING(sem), 1, __ATOMIC_SEQ_CST);
		error = ipc_wait_on(&VALUE(sem), 0, left);
		__atomic_sub_fetch(&WAITING(sem), 1, __ATOMIC_SEQ_CST);
		if (error && error != EAGAIN)
			break;
	}
	return answer(error);
}

int sem_wait(sem_t *sem)
{
	return sem_timedwait(sem, NULL);
}

int sem_getvalue(sem_t *restrict sem, int *restrict out)
{
	if (KIND(sem) == NAMED) {
		uint32_t value;
		if (answer(ipc_sem_get_value((uint32_t)VALUE(sem), &value)) != 0)
			return -1;
		*out = (int)value;
		return 0;
	}
	*out = __atomic_load_n(&VALUE(sem), __ATOMIC_RELAXED);
	return 0;
}
