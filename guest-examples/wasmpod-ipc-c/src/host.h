/*
 * What the host gives, and what all files here share. In a core module these are the imports of module `wasmpod_ipc`, as
 * docs/ipc.md describes them; in a component `component` makes the same functions of the package `wasmpod:ipc`. They
 * answer with an errno of WASI, whose numbers are wasi-libc's.
 */
#ifndef HOST_H
#define HOST_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef WASMPOD_COMPONENT
#define HOST(name) int ipc_##name
#else
#define HOST(name) __attribute__((import_module("wasmpod_ipc"), import_name(#name))) int ipc_##name
#endif

/* What the host writes, as docs/ipc.md has it. Times are seconds since 1970. */
struct ipc_msg_status {
	int32_t key;
	uint32_t messages;
	uint64_t bytes, max_bytes;
	uint32_t sender, receiver;
	uint64_t sent, received, changed;
};
struct ipc_msg_received {
	uint32_t length, nothing;
	int64_t type;
};
struct ipc_semset_status {
	int32_t key;
	uint32_t semaphores;
	uint64_t operated, changed;
};
struct ipc_shmseg_status {
	int32_t key;
	uint32_t attached;
	uint64_t size;
	uint32_t creator, last;
	uint64_t attached_at, detached_at, changed;
	uint32_t is_removed, nothing;
};
_Static_assert(sizeof(struct ipc_msg_status) == 56, "as docs/ipc.md has it");
_Static_assert(sizeof(struct ipc_msg_received) == 16, "as docs/ipc.md has it");
_Static_assert(sizeof(struct ipc_semset_status) == 24, "as docs/ipc.md has it");
_Static_assert(sizeof(struct ipc_shmseg_status) == 56, "as docs/ipc.md has it");

HOST(mq_open)(const char *name, size_t length, unsigned flags, unsigned messages, unsigned bytes, uint32_t *out);
HOST(mq_close)(uint32_t queue);
HOST(mq_unlink)(const char *name, size_t length);
HOST(mq_getattr)(uint32_t queue, uint32_t out[4]);
HOST(mq_setattr)(uint32_t queue, unsigned flags);
HOST(mq_notify)(uint32_t queue, unsigned on);
HOST(mq_notify_wait)(uint32_t queue, int64_t timeout_ns);

HOST(sem_open)(const char *name, size_t length, unsigned flags, unsigned value, uint32_t *out);
HOST(sem_close)(uint32_t sem);
HOST(sem_unlink)(const char *name, size_t length);
HOST(sem_post)(uint32_t sem);
HOST(sem_try_wait)(uint32_t sem);
HOST(sem_wait)(uint32_t sem, int64_t timeout_ns);
HOST(sem_get_value)(uint32_t sem, uint32_t *out);
HOST(sem_is_same)(uint32_t sem, uint32_t other, uint32_t *out);
HOST(sem_map)(uint32_t sem, void *address, uint32_t *out);

HOST(shm_open)(const char *name, size_t length, unsigned flags, uint32_t *out);
HOST(shm_close)(uint32_t fd);
HOST(shm_unlink)(const char *name, size_t length);
HOST(shm_truncate)(uint32_t fd, int64_t size);
HOST(shm_size)(uint32_t fd, uint64_t *out);
HOST(shm_read)(uint32_t fd, int64_t offset, void *buffer, size_t length, uint32_t *out);
HOST(shm_write)(uint32_t fd, int64_t offset, const void *data, size_t length);
HOST(shm_map)(uint32_t fd, int64_t offset, void *address, size_t length, unsigned flags, uint32_t *out);
HOST(shm_sync)(void *address, size_t length);
HOST(shm_unmap)(void *address, size_t length);
HOST(futex_wait)(volatile void *address, uint32_t expected, int64_t timeout_ns);
HOST(futex_owner_runs)(int number, uint32_t *out);
HOST(futex_wake)(volatile void *address, uint32_t count, uint32_t *out);

HOST(msg_get)(int key, unsigned flags, int *out);
HOST(msg_stat)(int id, struct ipc_msg_status *out);
HOST(msg_set)(int id, int64_t max_bytes);
HOST(msg_remove)(int id);

HOST(semset_get)(int key, unsigned count, unsigned flags, int *out);
HOST(semset_get_value)(int id, unsigned number, uint32_t out[4]);
HOST(semset_set_value)(int id, unsigned number, unsigned value);
HOST(semset_get_all)(int id, uint16_t *out, unsigned count);
HOST(semset_set_all)(int id, const uint16_t *values, unsigned count);
HOST(semset_stat)(int id, struct ipc_semset_status *out);
HOST(semset_remove)(int id);

HOST(shmseg_get)(int key, int64_t size, unsigned flags, int *out);
HOST(shmseg_attach)(int id, unsigned flags, uint32_t *out);
HOST(shmseg_stat)(int id, struct ipc_shmseg_status *out);
HOST(shmseg_remove)(int id);

/*
 * Calls that may wait: until `end`, or without one for ever; and not at all where the descriptor or a flag says so. A core
 * module tries first and waits after that, by two imports (`core_module/waiting.c`); a component has one function.
 */
struct wasmpod_mq_message;
int ipc_mq_send(uint32_t queue, const char *data, size_t length, unsigned priority, const struct timespec *end);
int ipc_mq_receive(uint32_t queue, char *buffer, size_t length, uint32_t out[2], const struct timespec *end);
int ipc_mq_send_many(uint32_t queue, const struct wasmpod_mq_message *messages, unsigned count, uint32_t *out);
int ipc_mq_receive_many(uint32_t queue, struct wasmpod_mq_message *messages, unsigned count, uint32_t *out);
int ipc_msg_send(int id, int64_t type, const void *data, size_t length, int is_waiting);
int ipc_msg_receive(int id, void *buffer, size_t length, int64_t type, unsigned flags, struct ipc_msg_received *out, int is_waiting);
/* Looks at IPC_NOWAIT of the operation that would wait. */
struct sembuf;
int ipc_semset_operate(int id, const struct sembuf *operations, unsigned count, int64_t timeout_ns);

/* Flags of receiving from a System V queue. */
enum { CUT = 1, EXCEPT = 2 };

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

#ifdef WASMPOD_COMPONENT
/*
 * The copy of this part of the segment of a descriptor that there is already, or NULL. A program that maps it again gets the
 * same one: two copies would not show each other's changes at once.
 */
void *ipc_shm_mapped(uint32_t fd, int64_t offset, size_t length, unsigned flags);
#else
/* Shared pages may be mapped as often as one likes. */
static inline void *ipc_shm_mapped(uint32_t fd, int64_t offset, size_t length, unsigned flags)
{
	(void)fd, (void)offset, (void)length, (void)flags;
	return NULL;
}
#endif

/* Waits on a number in shared memory. A number elsewhere is nobody's but ours: then only time passes. An errno. */
int ipc_wait_on(volatile int *number, int expected, int64_t timeout_ns);
void ipc_wake(volatile int *number, unsigned count);

#endif
