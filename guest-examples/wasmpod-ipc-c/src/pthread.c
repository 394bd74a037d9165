/*
 * Mutexes, conditions and barriers that containers share: those of POSIX threads that lie in a segment. They take the
 * places of wasi-libc's, which know one thread only, and work in a container's own memory too.
 *
 * Deliberately not here: priorities.
 */
#include "host.h"
#include "number.h"

#include <limits.h>
#include <pthread.h>
#include <unistd.h>

/*
 * The fields of pthread_mutex_t. The state is 0 free, 1 locked, 2 locked and perhaps waited for. Owners are numbers of
 * containers; a normal mutex that is not robust has none.
 */
#define TYPE(mutex) ((mutex)->__u.__vi[0])
#define STATE(mutex) (&(mutex)->__u.__vi[1])
#define OWNER(mutex) (&(mutex)->__u.__vi[2])
#define DEPTH(mutex) ((mutex)->__u.__vi[3])
#define HEALTH(mutex) ((mutex)->__u.__vi[4])

enum { FREE, LOCKED, WAITED_FOR };

/* Of a robust mutex: as it should be; its owner has ended; and nobody has made it consistent after that. */
enum { CONSISTENT, INCONSISTENT, LOST };

/* Bits of wasi-libc's pthread_mutexattr_t, which are kept as the type. */
enum { TYPE_BITS = 3, ROBUST_BIT = 4 };

#define HAS_OWNER(mutex) (TYPE(mutex) != PTHREAD_MUTEX_NORMAL)

/* How long a waiter for a robust mutex goes without asking whether its owner runs, in nanoseconds: a tenth of a second. */
#define OWNER_CHECK_NS INT64_C(100000000)

int pthread_mutex_init(pthread_mutex_t *restrict mutex, const pthread_mutexattr_t *restrict attr)
{
	*mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	TYPE(mutex) = attr ? (int)(attr->__attr & (TYPE_BITS | ROBUST_BIT)) : PTHREAD_MUTEX_NORMAL;
	return 0;
}

/* wasi-libc's refuses robust ones. */
int pthread_mutexattr_setrobust(pthread_mutexattr_t *attr, int robust)
{
	if (robust != PTHREAD_MUTEX_STALLED && robust != PTHREAD_MUTEX_ROBUST)
		return EINVAL;
	attr->__attr = (attr->__attr & ~(unsigned)ROBUST_BIT) | (robust ? ROBUST_BIT : 0);
	return 0;
}

int pthread_mutex_destroy(pthread_mutex_t *mutex)
{
	return ipc_load(STATE(mutex)) == FREE ? 0 : EBUSY;
}

/* Whether we have become the owner of a robust mutex in the place of one that has ended. */
static int inherit(pthread_mutex_t *mutex, int me)
{
	int owner = ipc_load(OWNER(mutex));
	uint32_t runs = 1;
	if (owner == 0 || ipc_futex_owner_runs(owner, &runs) != 0 || runs || !ipc_replace(OWNER(mutex), &owner, me))
		return 0;
	/* Others may wait, whatever the one before knew of them. */
	ipc_store(STATE(mutex), WAITED_FOR);
	ipc_refresh();
	DEPTH(mutex) = 0;
	HEALTH(mutex) = INCONSISTENT;
	return 1;
}

/* Waits until the mutex may be free, or `end`. An errno; 0 and EAGAIN are to look again. */
static int wait_for(pthread_mutex_t *mutex, const struct timespec *end)
{
	int64_t left = end ? ipc_left(CLOCK_REALTIME, end) : FOREVER;
	if (end && left < 0)
		return (int)-left;
	int is_part = TYPE(mutex) & ROBUST_BIT && (left < 0 || left > OWNER_CHECK_NS);
	int error = ipc_wait_on(STATE(mutex), WAITED_FOR, is_part ? OWNER_CHECK_NS : left);
	return is_part && error == ETIMEDOUT ? 0 : error;
}

/* Locks, waiting until `end` (none: for ever; with `is_trying` not at all). An errno. */
static int lock(pthread_mutex_t *mutex, int is_trying, const struct timespec *end)
{
	/* Asked for before: between locking and being the owner there must be no call, in which we could be ended. */
	int me = HAS_OWNER(mutex) ? getpid() : 0, is_robust = TYPE(mutex) & ROBUST_BIT, state = FREE;
	if (ipc_replace(STATE(mutex), &state, LOCKED))
		goto locked;
	if (me && *OWNER(mutex) == me) {
		int type = TYPE(mutex) & TYPE_BITS;
		if (type == PTHREAD_MUTEX_RECURSIVE) {
			if (DEPTH(mutex) == INT_MAX)
				return EAGAIN;
			DEPTH(mutex)++;
			return 0;
		}
		if (is_trying)
			return EBUSY;
		if (type == PTHREAD_MUTEX_ERRORCHECK)
			return EDEADLK;
	}
	if (is_trying)
		return is_robust && inherit(mutex, me) ? EOWNERDEAD : EBUSY;
	while (ipc_exchange(STATE(mutex), WAITED_FOR) != FREE) {
		if (is_robust && inherit(mutex, me))
			return EOWNERDEAD;
		int error = wait_for(mutex, end);
		if (error && error != EAGAIN)
			return error;
	}
locked:
	if (me)
		ipc_store(OWNER(mutex), me);
	ipc_refresh();
	if (!is_robust || HEALTH(mutex) == CONSISTENT)
		return 0;
	/* Lost: everybody is to see it. */
	ipc_store(OWNER(mutex), 0);
	ipc_store(STATE(mutex), FREE);
	ipc_wake(STATE(mutex), UINT_MAX);
	return ENOTRECOVERABLE;
}

int pthread_mutex_consistent(pthread_mutex_t *mutex)
{
	if (!(TYPE(mutex) & ROBUST_BIT) || *OWNER(mutex) != getpid() || HEALTH(mutex) != INCONSISTENT)
		return EINVAL;
	HEALTH(mutex) = CONSISTENT;
	return 0;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	return lock(mutex, 0, NULL);
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	return lock(mutex, 1, NULL);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict end)
{
	return lock(mutex, 0, end);
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	if (HAS_OWNER(mutex)) {
		if (*STATE(mutex) == FREE || *OWNER(mutex) != getpid())
			return EPERM;
		if (DEPTH(mutex) > 0) {
			DEPTH(mutex)--;
			return 0;
		}
		if (HEALTH(mutex) == INCONSISTENT)
			HEALTH(mutex) = LOST;
		ipc_store(OWNER(mutex), 0);
	}
	ipc_publish();
	if (ipc_exchange(STATE(mutex), FREE) == WAITED_FOR)
		ipc_wake(STATE(mutex), 1);
	return 0;
}

/* The fields of pthread_cond_t: a number that each signal changes, how many wait, and by which clock. */
#define SIGNALS(cond) (&(cond)->__u.__vi[0])
#define WAITING(cond) (&(cond)->__u.__vi[1])
#define IS_MONOTONIC(cond) ((cond)->__u.__vi[2])

int pthread_cond_init(pthread_cond_t *restrict cond, const pthread_condattr_t *restrict attr)
{
	clockid_t clock = CLOCK_REALTIME;
	*cond = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	if (attr && pthread_condattr_getclock(attr, &clock) == 0)
		IS_MONOTONIC(cond) = clock == CLOCK_MONOTONIC;
	return 0;
}

int pthread_cond_destroy(pthread_cond_t *cond)
{
	return ipc_load(WAITING(cond)) ? EBUSY : 0;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, const struct timespec *restrict end)
{
	int64_t left = end ? ipc_left(IS_MONOTONIC(cond) ? CLOCK_MONOTONIC : CLOCK_REALTIME, end) : FOREVER;
	if (end && left == -EINVAL)
		return EINVAL;
	int signals = ipc_load(SIGNALS(cond));
	ipc_add(WAITING(cond), 1);
	int error = pthread_mutex_unlock(mutex);
	if (error == 0) {
		error = end && left < 0 ? ETIMEDOUT : ipc_wait_on(SIGNALS(cond), signals, left);
		int relock = lock(mutex, 0, NULL);
		/* Another number: the signal came first. */
		error = relock ? relock : error == EAGAIN ? 0 : error;
	}
	ipc_add(WAITING(cond), -1);
	return error;
}

int pthread_cond_wait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex)
{
	return pthread_cond_timedwait(cond, mutex, NULL);
}

static int signal_some(pthread_cond_t *cond, unsigned count)
{
	if (ipc_load(WAITING(cond))) {
		ipc_add(SIGNALS(cond), 1);
		ipc_wake(SIGNALS(cond), count);
	}
	return 0;
}

int pthread_cond_signal(pthread_cond_t *cond)
{
	return signal_some(cond, 1);
}

int pthread_cond_broadcast(pthread_cond_t *cond)
{
	return signal_some(cond, UINT_MAX);
}

/* The fields of pthread_barrier_t: how many are to come, how many have, and how often it has opened. */
#define EXPECTED(barrier) ((barrier)->__u.__vi[0])
#define ARRIVED(barrier) (&(barrier)->__u.__vi[1])
#define OPENED(barrier) (&(barrier)->__u.__vi[2])

int pthread_barrier_init(pthread_barrier_t *restrict barrier, const pthread_barrierattr_t *restrict attr, unsigned count)
{
	(void)attr; /* where it lies decides who shares it */
	if (count == 0 || count > INT_MAX)
		return EINVAL;
	EXPECTED(barrier) = (int)count;
	*ARRIVED(barrier) = 0;
	*OPENED(barrier) = 0;
	return 0;
}

int pthread_barrier_destroy(pthread_barrier_t *barrier)
{
	return ipc_load(ARRIVED(barrier)) ? EBUSY : 0;
}

int pthread_barrier_wait(pthread_barrier_t *barrier)
{
	ipc_publish();
	int opened = ipc_load(OPENED(barrier)), is_last = ipc_add(ARRIVED(barrier), 1) + 1 == EXPECTED(barrier);
	if (is_last) {
		ipc_store(ARRIVED(barrier), 0);
		ipc_add(OPENED(barrier), 1);
		ipc_wake(OPENED(barrier), UINT_MAX);
	} else {
		while (ipc_load(OPENED(barrier)) == opened)
			(void)ipc_wait_on(OPENED(barrier), opened, FOREVER);
	}
	ipc_refresh();
	return is_last ? PTHREAD_BARRIER_SERIAL_THREAD : 0;
}
