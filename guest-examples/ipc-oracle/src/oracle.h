/*
 * Checks of what the man pages say about IPC. The same source is compiled for Linux and for Wasm; it knows nothing of
 * wasmpod. Each check prints one line, `PASS sentence` or `FAIL sentence: why`, so that the output of a role in a pod
 * can be compared with the output of the same role on the kernel.
 *
 * Deliberately not here: numbers of errors and of descriptors, which differ between systems, and anything timed.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <errno.h>
#include <sys/types.h>
#include <time.h>

/* Says whether the sentence holds. errno is told with a failure. */
#define CHECK(sentence, condition) \
	do { \
		errno = 0; \
		int holds_ = (condition) ? 1 : 0; \
		report(sentence, holds_, errno, __FILE__, __LINE__); \
	} while (0)

/* Says whether a call returns -1 and sets errno to this error. */
#define CHECK_ERROR(sentence, error, call) \
	do { \
		errno = 0; \
		long answer_ = (long)(call); \
		report(sentence, answer_ == -1 && errno == (error), errno, __FILE__, __LINE__); \
	} while (0)

/* Waits until the condition holds, looking again and again for at most half a minute; then says so. */
#define EVENTUALLY(sentence, condition) \
	do { \
		int holds_ = 0; \
		for (int look_ = 0; look_ < 30000 && !(holds_ = (condition) ? 1 : 0); look_++) \
			pause_a_millisecond(); \
		report(sentence, holds_, errno, __FILE__, __LINE__); \
	} while (0)

void report(const char *sentence, int holds, int error, const char *file, int line);
void pause_a_millisecond(void);

/* A name "/ORACLE-what" that only the roles of this run use. */
const char *name_of(const char *what);
/* A System V key that only the roles of this run use; `number` is 0 to 15. */
key_t key_of(int number);
/* A file that all roles of this run see. */
const char *shared_file(void);
/* The time of day, and some milliseconds more. */
struct timespec in_milliseconds(long milliseconds);

/* A role: one container of a pod, or one process. */
struct role {
	const char *object, *name;
	void (*run)(void);
};

void mq_alone(void), mq_first(void), mq_second(void);
void sem_alone(void), sem_first(void), sem_second(void);
void shm_alone(void), shm_first(void), shm_second(void);
void pthread_alone(void), pthread_first(void), pthread_second(void);
void sysv_msg_alone(void), sysv_msg_first(void), sysv_msg_second(void);
void sysv_sem_alone(void), sysv_sem_first(void), sysv_sem_second(void);
void sysv_shm_alone(void), sysv_shm_at_once(void), sysv_shm_first(void), sysv_shm_second(void);

#endif
