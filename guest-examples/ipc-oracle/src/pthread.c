/*
 * Process-shared locks in a segment: pthread_mutexattr_setpshared(3), pthread_mutex_lock(3p), pthread_cond_wait(3p),
 * pthread_barrier_wait(3p), pthread_rwlock_rdlock(3p), pthread_mutexattr_setrobust(3), sem_init(3).
 */
#include "oracle.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct shared {
	volatile int is_made;
	pthread_mutex_t mutex, robust;
	pthread_cond_t changed;
	pthread_barrier_t barrier;
	pthread_rwlock_t rwlock;
	sem_t sem;
	int counter, written, turn;
};

static int make_mutex(pthread_mutex_t *mutex, int type)
{
	pthread_mutexattr_t attr;
	return pthread_mutexattr_init(&attr) == 0 && pthread_mutexattr_settype(&attr, type) == 0 &&
		pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0 &&
		pthread_mutex_init(mutex, &attr) == 0 && pthread_mutexattr_destroy(&attr) == 0;
}

static int make_robust(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attr;
	return pthread_mutexattr_init(&attr) == 0 && pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0 &&
		pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0 &&
		pthread_mutex_init(mutex, &attr) == 0 && pthread_mutexattr_destroy(&attr) == 0;
}

static int make_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	return pthread_condattr_init(&attr) == 0 && pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0 &&
		pthread_cond_init(cond, &attr) == 0 && pthread_condattr_destroy(&attr) == 0;
}

static int make_barrier(pthread_barrier_t *barrier, unsigned count)
{
	pthread_barrierattr_t attr;
	return pthread_barrierattr_init(&attr) == 0 && pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0 &&
		pthread_barrier_init(barrier, &attr, count) == 0 && pthread_barrierattr_destroy(&attr) == 0;
}

static int make_rwlock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;
	return pthread_rwlockattr_init(&attr) == 0 && pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0 &&
		pthread_rwlock_init(lock, &attr) == 0 && pthread_rwlockattr_destroy(&attr) == 0;
}

static struct shared *map(int fd)
{
	struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK("the segment is mapped", shared != MAP_FAILED && close(fd) == 0);
	return shared;
}

void pthread_alone(void)
{
	int fd = shm_open(name_of("locks"), O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK("a segment for locks", fd != -1 && ftruncate(fd, sizeof(struct shared)) == 0);
	CHECK("its name is unlinked at once", shm_unlink(name_of("locks")) == 0);
	struct shared *shared = map(fd);
	pthread_mutex_t *mutex = &shared->mutex;
	struct timespec past = { 0, 0 }, soon;

	CHECK("a mutex in shared memory is made", make_mutex(mutex, PTHREAD_MUTEX_NORMAL));
	CHECK("it is locked", pthread_mutex_lock(mutex) == 0);
	CHECK("trying a locked one says EBUSY", pthread_mutex_trylock(mutex) == EBUSY);
	soon = in_milliseconds(20);
	CHECK("waiting for a locked one ends at its time", pthread_mutex_timedlock(mutex, &soon) == ETIMEDOUT);
	CHECK("it is unlocked", pthread_mutex_unlock(mutex) == 0);
	CHECK("a free one is taken whatever the time is", pthread_mutex_timedlock(mutex, &past) == 0);

	CHECK("a condition in shared memory is made", make_cond(&shared->changed));
	CHECK("signals to nobody are lost", pthread_cond_signal(&shared->changed) == 0 && pthread_cond_broadcast(&shared->changed) == 0);
	soon = in_milliseconds(20);
	CHECK("waiting for a condition ends at its time", pthread_cond_timedwait(&shared->changed, mutex, &soon) == ETIMEDOUT);
	CHECK("and holds the mutex again", pthread_mutex_trylock(mutex) == EBUSY);
	CHECK("a condition is destroyed", pthread_cond_destroy(&shared->changed) == 0);
	CHECK("a mutex is unlocked and destroyed", pthread_mutex_unlock(mutex) == 0 && pthread_mutex_destroy(mutex) == 0);

	CHECK("a mutex that checks for errors", make_mutex(mutex, PTHREAD_MUTEX_ERRORCHECK));
	CHECK("refuses to be unlocked by who has not locked it", pthread_mutex_unlock(mutex) == EPERM);
	CHECK("refuses to be locked twice", pthread_mutex_lock(mutex) == 0 && pthread_mutex_lock(mutex) == EDEADLK);
	CHECK("and is unlocked once", pthread_mutex_unlock(mutex) == 0 && pthread_mutex_destroy(mutex) == 0);

	CHECK("a recursive mutex", make_mutex(mutex, PTHREAD_MUTEX_RECURSIVE));
	CHECK("is locked twice", pthread_mutex_lock(mutex) == 0 && pthread_mutex_trylock(mutex) == 0);
	CHECK("and unlocked twice", pthread_mutex_unlock(mutex) == 0 && pthread_mutex_unlock(mutex) == 0);
	CHECK("and no third time", pthread_mutex_unlock(mutex) == EPERM && pthread_mutex_destroy(mutex) == 0);

	CHECK("a barrier of nobody is refused", pthread_barrier_init(&shared->barrier, NULL, 0) == EINVAL);
	CHECK("a barrier of one", make_barrier(&shared->barrier, 1));
	CHECK("lets it pass", pthread_barrier_wait(&shared->barrier) == PTHREAD_BARRIER_SERIAL_THREAD);
	CHECK("again and again", pthread_barrier_wait(&shared->barrier) == PTHREAD_BARRIER_SERIAL_THREAD);
	CHECK("and is destroyed", pthread_barrier_destroy(&shared->barrier) == 0);

	pthread_rwlock_t *rwlock = &shared->rwlock;
	CHECK("a lock of readers and writers", make_rwlock(rwlock));
	CHECK("is had by several readers", pthread_rwlock_rdlock(rwlock) == 0 && pthread_rwlock_tryrdlock(rwlock) == 0);
	CHECK("and by no writer meanwhile", pthread_rwlock_trywrlock(rwlock) == EBUSY);
	soon = in_milliseconds(20);
	CHECK("a writer waits until its time", pthread_rwlock_timedwrlock(rwlock, &soon) == ETIMEDOUT);
	CHECK("until both have unlocked it", pthread_rwlock_unlock(rwlock) == 0 && pthread_rwlock_unlock(rwlock) == 0);
	CHECK("a writer has it alone", pthread_rwlock_wrlock(rwlock) == 0 && pthread_rwlock_tryrdlock(rwlock) == EBUSY);
	CHECK("and unlocks it", pthread_rwlock_unlock(rwlock) == 0 && pthread_rwlock_destroy(rwlock) == 0);
	CHECK("the segment is given back", munmap(shared, sizeof *shared) == 0);
}

#define STEPS 20000
#define TURNS 100

/* What both sides do, each as `me`: counts under the mutex, then takes turns. */
static void work(struct shared *shared, int me)
{
	int passed = pthread_barrier_wait(&shared->barrier);
	CHECK("both sides meet at the barrier", passed == 0 || passed == PTHREAD_BARRIER_SERIAL_THREAD);
	int locked = 0;
	for (int i = 0; i < STEPS; i++) {
		locked += pthread_mutex_lock(&shared->mutex) == 0;
		shared->counter++;
		locked += pthread_mutex_unlock(&shared->mutex) == 0;
	}
	CHECK("the mutex is locked and unlocked many times", locked == 2 * STEPS);
	locked = 0;
	for (int i = 0; i < STEPS; i++) {
		int is_writer = i % 4 == 0;
		locked += (is_writer ? pthread_rwlock_wrlock(&shared->rwlock) : pthread_rwlock_rdlock(&shared->rwlock)) == 0;
		int before = shared->written;
		if (is_writer)
			shared->written++;
		locked += shared->written == before + is_writer;
		locked += pthread_rwlock_unlock(&shared->rwlock) == 0;
	}
	CHECK("readers and writers come one after the other", locked == 3 * STEPS);
	int turns = 0;
	for (int i = 0; i < TURNS; i++) {
		struct timespec late = in_milliseconds(30000);
		pthread_mutex_lock(&shared->mutex);
		while (shared->turn != me) {
			if ((i % 2 ? pthread_cond_wait(&shared->changed, &shared->mutex)
				: pthread_cond_timedwait(&shared->changed, &shared->mutex, &late)) != 0)
				break;
		}
		turns += shared->turn == me;
		shared->turn = !me;
		i % 2 ? pthread_cond_signal(&shared->changed) : pthread_cond_broadcast(&shared->changed);
		pthread_mutex_unlock(&shared->mutex);
	}
	CHECK("turns are taken by the condition", turns == TURNS);
	passed = pthread_barrier_wait(&shared->barrier);
	CHECK("both sides meet again", passed == 0 || passed == PTHREAD_BARRIER_SERIAL_THREAD);
	CHECK("no count is lost", shared->counter == 2 * STEPS && shared->written == STEPS / 2);
}

void pthread_first(void)
{
	int fd = shm_open(name_of("work"), O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK("a segment for both sides", fd != -1 && ftruncate(fd, sizeof(struct shared)) == 0);
	struct shared *shared = map(fd);
	CHECK("the locks are made", make_mutex(&shared->mutex, PTHREAD_MUTEX_NORMAL) && make_cond(&shared->changed) &&
		make_barrier(&shared->barrier, 2) && make_rwlock(&shared->rwlock) && make_robust(&shared->robust) && sem_init(&shared->sem, 1, 0) == 0);
	__atomic_store_n(&shared->is_made, 1, __ATOMIC_RELEASE);
	work(shared, 0);
	CHECK("the unnamed semaphore is posted by the other side", sem_wait(&shared->sem) == 0);
	/* The other side has locked it, and ends. */
	CHECK("a robust mutex tells that its owner has ended", pthread_mutex_lock(&shared->robust) == EOWNERDEAD);
	CHECK("and is made consistent", pthread_mutex_consistent(&shared->robust) == 0 && pthread_mutex_unlock(&shared->robust) == 0);
	CHECK("then it is as before", pthread_mutex_lock(&shared->robust) == 0 && pthread_mutex_unlock(&shared->robust) == 0);
	CHECK("the name is unlinked", shm_unlink(name_of("work")) == 0 && munmap(shared, sizeof *shared) == 0);
}

void pthread_second(void)
{
	int fd = -1;
	struct stat status;
	EVENTUALLY("the segment appears", (fd = shm_open(name_of("work"), O_RDWR, 0)) != -1);
	EVENTUALLY("and has its size", fstat(fd, &status) == 0 && status.st_size == sizeof(struct shared));
	struct shared *shared = map(fd);
	EVENTUALLY("the locks are made", __atomic_load_n(&shared->is_made, __ATOMIC_ACQUIRE));
	work(shared, 1);
	CHECK("a robust mutex is locked", pthread_mutex_lock(&shared->robust) == 0);
	CHECK("the unnamed semaphore is posted", sem_post(&shared->sem) == 0);
	/* The end has both: the mutex, and what is mapped. */
}
