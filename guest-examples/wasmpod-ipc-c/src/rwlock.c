/*
 * Locks of readers and writers that containers share: pthread_rwlock_init(3p), pthread_rwlock_rdlock(3p),
 * pthread_rwlock_wrlock(3p). They take the places of wasi-libc's, which know one thread only, and work in a container's own
 * memory too.
 *
 * Deliberately not here: preference of writers; who comes first is first.
 */
#include "host.h"
#include "number.h"

#include <limits.h>
#include <pthread.h>

/* The fields of pthread_rwlock_t: how many have it to read, or WRITER; and how many wait. */
#define STATE(lock) (&(lock)->__u.__vi[0])
#define WAITING(lock) (&(lock)->__u.__vi[1])

#define WRITER INT_MAX
#define MOST_READERS (INT_MAX - 1)

int pthread_rwlock_init(pthread_rwlock_t *restrict lock, const pthread_rwlockattr_t *restrict attr)
{
	(void)attr; /* where it lies decides who shares it */
	*lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
	return 0;
}

int pthread_rwlock_destroy(pthread_rwlock_t *lock)
{
	return ipc_load(STATE(lock)) ? EBUSY : 0;
}

int pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
	int state = ipc_load(STATE(lock));
	do {
		if (state == WRITER)
			return EBUSY;
		if (state == MOST_READERS)
			return EAGAIN;
	} while (!ipc_replace(STATE(lock), &state, state + 1));
	ipc_refresh();
	return 0;
}

int pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
	int state = 0;
	if (!ipc_replace(STATE(lock), &state, WRITER))
		return EBUSY;
	ipc_refresh();
	return 0;
}

/* Tries until it works, fails otherwise, or the time is over (none: for ever). An errno. */
static int wait_for(pthread_rwlock_t *lock, int (*try)(pthread_rwlock_t *), const struct timespec *end)
{
	int error;
	while ((error = try(lock)) == EBUSY) {
		int64_t left = end ? ipc_left(CLOCK_REALTIME, end) : FOREVER;
		if (end && left < 0)
			return (int)-left;
		ipc_add(WAITING(lock), 1);
		int state = ipc_load(STATE(lock));
		error = state ? ipc_wait_on(STATE(lock), state, left) : 0;
		ipc_add(WAITING(lock), -1);
		if (error && error != EAGAIN)
			return error;
	}
	return error;
}

int pthread_rwlock_timedrdlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict end)
{
	return wait_for(lock, pthread_rwlock_tryrdlock, end);
}

int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
	return wait_for(lock, pthread_rwlock_tryrdlock, NULL);
}

int pthread_rwlock_timedwrlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict end)
{
	return wait_for(lock, pthread_rwlock_trywrlock, end);
}

int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
	return wait_for(lock, pthread_rwlock_trywrlock, NULL);
}

int pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
	ipc_publish();
	int state = ipc_load(STATE(lock)), left;
	do {
		if (state == 0)
			return EPERM;
		left = state == WRITER ? 0 : state - 1;
	} while (!ipc_replace(STATE(lock), &state, left));
	/* Whoever waits looks again: readers may all come in. */
	if (left == 0 && ipc_load(WAITING(lock)))
		ipc_wake(STATE(lock), UINT_MAX);
	return 0;
}
