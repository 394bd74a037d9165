/*
 * The imports of module `wasmpod_ipc`, as docs/ipc.md describes them, and what all files here share. The host answers
 * with an errno of WASI, whose numbers are wasi-libc's.
 */
#ifndef IMPORTS_H
#define IMPORTS_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define IMPORT(name) __attribute__((import_module("wasmpod_ipc"), import_name(#name))) int ipc_##name

IMPORT(mq_open)(const char *name, size_t length, unsigned flags, unsigned messages, unsigned bytes, uint32_t *out);
IMPORT(mq_close)(uint32_t queue);
IMPORT(mq_unlink)(const char *name, size_t length);
IMPORT(mq_getattr)(uint32_t queue, uint32_t out[4]);
IMPORT(mq_setattr)(uint32_t queue, unsigned flags);
IMPORT(mq_try_send)(uint32_t queue, const char *data, size_t length, unsigned priority);
IMPORT(mq_try_receive)(uint32_t queue, char *buffer, size_t length, uint32_t out[2]);
IMPORT(mq_try_send_many)(uint32_t queue, const void *entries, unsigned count, uint32_t *out);
IMPORT(mq_try_receive_many)(uint32_t queue, void *entries, unsigned count, uint32_t *out);
IMPORT(mq_wait)(uint32_t queue, unsigned what, int64_t timeout_ns);
IMPORT(mq_notify)(uint32_t queue, unsigned on);
IMPORT(mq_notify_wait)(uint32_t queue, int64_t timeout_ns);

IMPORT(sem_open)(const char *name, size_t length, unsigned flags, unsigned value, uint32_t *out);
IMPORT(sem_close)(uint32_t sem);
IMPORT(sem_unlink)(const char *name, size_t length);
IMPORT(sem_post)(uint32_t sem);
IMPORT(sem_try_wait)(uint32_t sem);
IMPORT(sem_wait)(uint32_t sem, int64_t timeout_ns);
IMPORT(sem_get_value)(uint32_t sem, uint32_t *out);
IMPORT(sem_map)(uint32_t sem, void *address, uint32_t *out);

IMPORT(shm_open)(const char *name, size_t length, unsigned flags, uint32_t *out);
IMPORT(shm_close)(uint32_t fd);
IMPORT(shm_unlink)(const char *name, size_t length);
IMPORT(shm_truncate)(uint32_t fd, int64_t size);
IMPORT(shm_size)(uint32_t fd, uint64_t *out);
IMPORT(shm_read)(uint32_t fd, int64_t offset, void *buffer, size_t length, uint32_t *out);
IMPORT(shm_write)(uint32_t fd, int64_t offset, const void *data, size_t length);
IMPORT(shm_map)(uint32_t fd, int64_t offset, void *address, size_t length, unsigned flags, uint32_t *out);
IMPORT(shm_sync)(void *address, size_t length);
IMPORT(shm_unmap)(void *address, size_t length);
IMPORT(futex_wait)(volatile void *address, uint32_t expected, int64_t timeout_ns);
IMPORT(futex_owner_runs)(int number, uint32_t *out);
IMPORT(futex_wake)(volatile void *address, uint32_t count, uint32_t *out);

IMPORT(msg_get)(int key, unsigned flags, int *out);
IMPORT(msg_try_send)(int id, int64_t type, const void *data, size_t length);
IMPORT(msg_send)(int id, int64_t type, const void *data, size_t length, int64_t timeout_ns);
IMPORT(msg_try_receive)(int id, void *buffer, size_t length, int64_t type, unsigned flags, void *out);
IMPORT(msg_receive)(int id, void *buffer, size_t length, int64_t type, unsigned flags, void *out, int64_t timeout_ns);
IMPORT(msg_stat)(int id, void *out);
IMPORT(msg_set)(int id, int64_t max_bytes);
IMPORT(msg_remove)(int id);

IMPORT(semset_get)(int key, unsigned count, unsigned flags, int *out);
IMPORT(semset_try_operate)(int id, const void *operations, unsigned count);
IMPORT(semset_operate)(int id, const void *operations, unsigned count, int64_t timeout_ns);
IMPORT(semset_get_value)(int id, unsigned number, uint32_t out[4]);
IMPORT(semset_set_value)(int id, unsigned number, unsigned value);
IMPORT(semset_get_all)(int id, uint16_t *out, unsigned count);
IMPORT(semset_set_all)(int id, const uint16_t *values, unsigned count);
IMPORT(semset_stat)(int id, void *out);
IMPORT(semset_remove)(int id);

IMPORT(shmseg_get)(int key, int64_t size, unsigned flags, int *out);
IMPORT(shmseg_attach)(int id, unsigned flags, uint32_t *out);
IMPORT(shmseg_stat)(int id, void *out);
IMPORT(shmseg_remove)(int id);

/* Flags of all functions that open or get something. */
enum { READ = 1, WRITE = 2, CREATE = 4, EXCLUSIVE = 8, NONBLOCKING = 16, TRUNCATE = 32 };

#define FOREVER ((int64_t)-1)

/* Where shared segments begin and end in memory, and the unit in which they are mapped: a page of Wasm. */
#define PAGE ((size_t)65536)

/* 0, or -1 with errno. */
static inline int answer(int error)
{
	if (error == 0)
		return 0;
	errno = error;
	return -1;
}

/* Flags of open(2) as the host has them. Linux's O_RDONLY is 0; WASI's is a bit, which programs leave out. */
unsigned ipc_open_flags(int flags);

/* Flags of msgget(2), semget(2) and shmget(2) as the host has them. */
unsigned ipc_get_flags(int flags);

/*
 * The name of a POSIX semaphore or segment as the host wants it, with exactly one leading slash: Linux's C libraries
 * take any number. Writes to `out` (NAME_BYTES); its length, or 0 with errno.
 */
#define NAME_BYTES 512
size_t ipc_name(const char *name, char *out);

/*
 * Nanoseconds left until a time of day: 0 and more; or an errno, negative: EINVAL for a time without sense, ETIMEDOUT
 * for one that has been.
 */
int64_t ipc_left(clockid_t clock, const struct timespec *end);

/* A duration in nanoseconds; no time at all is FOREVER, one without sense -EINVAL. */
int64_t ipc_duration(const struct timespec *timeout);

/* Descriptors of segments count from here: close(2) and others tell them from files by it. */
#define FIRST_SEGMENT (1 << 30)

/*
 * Makes memory that is a segment, from an offset on. `length` may be less than a page. NULL with errno on failure.
 * `ipc_unmap` gives it back when it begins at this address; with a length of 0, whatever its length.
 */
void *ipc_map(uint32_t fd, int64_t offset, size_t length, int to_write);
int ipc_unmap(const void *address, size_t length);

/* Waits on a number in shared memory. A number elsewhere is nobody's but ours: then only time passes. An errno. */
int ipc_wait_on(volatile int *number, int expected, int64_t timeout_ns);
void ipc_wake(volatile int *number, unsigned count);

#endif
