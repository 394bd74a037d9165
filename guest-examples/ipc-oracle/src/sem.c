/* POSIX semaphores: sem_overview(7), sem_open(3), sem_post(3), sem_wait(3), sem_getvalue(3), sem_unlink(3). */
#include "oracle.h"

#include <fcntl.h>
#include <limits.h>
#include <semaphore.h>
#include <string.h>

#define OPEN_FAILS(sentence, error, call) \
	do { \
		errno = 0; \
		sem_t *answer_ = (call); \
		report(sentence, answer_ == SEM_FAILED && errno == (error), errno, __FILE__, __LINE__); \
	} while (0)

static void names(void)
{
	char longest[300];
	memset(longest, 'n', sizeof longest);
	longest[0] = '/';
	longest[299] = '\0';
	OPEN_FAILS("a name is more than a slash", EINVAL, sem_open("/", O_CREAT, 0600, 1));
	/* The page says ENAMETOOLONG, glibc EINVAL. */
	CHECK("a name of 298 bytes is too long", sem_open(longest, O_CREAT, 0600, 1) == SEM_FAILED && (errno == ENAMETOOLONG || errno == EINVAL));
	OPEN_FAILS("a semaphore that is not there is not opened", ENOENT, sem_open(name_of("sem"), 0));
	OPEN_FAILS("a value above SEM_VALUE_MAX is refused", EINVAL, sem_open(name_of("sem"), O_CREAT, 0600, (unsigned)SEM_VALUE_MAX + 1));
	CHECK_ERROR("a semaphore that is not there is not unlinked", ENOENT, sem_unlink(name_of("sem")));
}

static void values(sem_t *sem)
{
	struct timespec past = { 0, 0 }, wrong = { 0, 1000000000 };
	int value = -1;
	CHECK("the value is as it was made", sem_getvalue(sem, &value) == 0 && value == 2);
	CHECK("waiting takes one", sem_wait(sem) == 0);
	CHECK("so does trying", sem_trywait(sem) == 0);
	CHECK("then it is zero", sem_getvalue(sem, &value) == 0 && value == 0);
	CHECK_ERROR("at zero trying gives nothing", EAGAIN, sem_trywait(sem));
	struct timespec soon = in_milliseconds(20);
	CHECK_ERROR("waiting ends at its time", ETIMEDOUT, sem_timedwait(sem, &soon));
	CHECK_ERROR("a time in the past does not wait", ETIMEDOUT, sem_timedwait(sem, &past));
	CHECK_ERROR("a time without sense is an error when it comes to waiting", EINVAL, sem_timedwait(sem, &wrong));
	CHECK("posting adds one", sem_post(sem) == 0 && sem_getvalue(sem, &value) == 0 && value == 1);
	CHECK("it is taken whatever the time is", sem_timedwait(sem, &past) == 0);
}

static void named(void)
{
	int value = -1;
	sem_t *sem = sem_open(name_of("sem"), O_CREAT | O_EXCL, 0600, 2);
	CHECK("a semaphore is made", sem != SEM_FAILED);
	OPEN_FAILS("O_EXCL fails when the name is taken", EEXIST, sem_open(name_of("sem"), O_CREAT | O_EXCL, 0600, 2));
	values(sem);
	sem_t *again = sem_open(name_of("sem"), O_CREAT, 0600, 77);
	CHECK("an existing one is opened and keeps its value", again != SEM_FAILED && sem_getvalue(again, &value) == 0 && value == 0);
	CHECK("both are one semaphore, at one address", again == sem && sem_post(again) == 0 && sem_trywait(sem) == 0);
	CHECK("it is closed once", sem_close(again) == 0);
	CHECK("the name is unlinked", sem_unlink(name_of("sem")) == 0);
	OPEN_FAILS("then nobody finds it", ENOENT, sem_open(name_of("sem"), 0));
	CHECK("who has it open still uses it", sem_post(sem) == 0 && sem_wait(sem) == 0);
	again = sem_open(name_of("sem"), O_CREAT, 0600, 5);
	CHECK("the next one of its name is another", again != SEM_FAILED && again != sem && sem_getvalue(again, &value) == 0 && value == 5);
	CHECK("and goes in its turn", sem_close(again) == 0 && sem_unlink(name_of("sem")) == 0);
	CHECK("it is closed for the last time", sem_close(sem) == 0);

	sem = sem_open(name_of("most"), O_CREAT, 0600, SEM_VALUE_MAX);
	CHECK("the greatest value is SEM_VALUE_MAX", sem != SEM_FAILED);
	CHECK_ERROR("posting beyond it is refused", EOVERFLOW, sem_post(sem));
	CHECK("it is closed and unlinked", sem_close(sem) == 0 && sem_unlink(name_of("most")) == 0);
}

static void unnamed(void)
{
	sem_t sem;
	CHECK_ERROR("an unnamed one has the same greatest value", EINVAL, sem_init(&sem, 0, (unsigned)SEM_VALUE_MAX + 1));
	CHECK("an unnamed one is made", sem_init(&sem, 0, 2) == 0);
	values(&sem);
	CHECK("and destroyed", sem_destroy(&sem) == 0);
	CHECK("an unnamed one at its greatest value", sem_init(&sem, 0, SEM_VALUE_MAX) == 0);
	CHECK_ERROR("takes no more", EOVERFLOW, sem_post(&sem));
	CHECK("and is destroyed", sem_destroy(&sem) == 0);
}

void sem_alone(void)
{
	names();
	named();
	unnamed();
}

#define ROUNDS 200

/* Two semaphores that are handed over in turns. */
void sem_first(void)
{
	sem_t *ping = sem_open(name_of("ping"), O_CREAT, 0600, 0);
	sem_t *pong = sem_open(name_of("pong"), O_CREAT, 0600, 0);
	CHECK("both semaphores are open", ping != SEM_FAILED && pong != SEM_FAILED);
	int rounds = 0;
	for (int i = 0; i < ROUNDS; i++)
		rounds += sem_post(ping) == 0 && sem_wait(pong) == 0;
	CHECK("each post is answered", rounds == ROUNDS);
	int value = -1;
	CHECK("nothing is left over", sem_trywait(pong) == -1 && sem_getvalue(ping, &value) == 0 && value == 0);
	CHECK("the names are unlinked", sem_unlink(name_of("ping")) == 0 && sem_unlink(name_of("pong")) == 0);
	CHECK("the semaphores are closed", sem_close(ping) == 0 && sem_close(pong) == 0);
}

void sem_second(void)
{
	sem_t *ping = SEM_FAILED, *pong = SEM_FAILED;
	EVENTUALLY("the first semaphore appears", (ping = sem_open(name_of("ping"), 0)) != SEM_FAILED);
	EVENTUALLY("the second semaphore appears", (pong = sem_open(name_of("pong"), 0)) != SEM_FAILED);
	int rounds = 0;
	for (int i = 0; i < ROUNDS; i++) {
		struct timespec late = in_milliseconds(30000);
		rounds += (i % 2 ? sem_wait(ping) : sem_timedwait(ping, &late)) == 0 && sem_post(pong) == 0;
	}
	CHECK("each wait is posted", rounds == ROUNDS);
	CHECK("the semaphores are closed", sem_close(ping) == 0 && sem_close(pong) == 0);
}
