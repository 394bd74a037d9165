/* What all objects share: names, flags, times, and who this container is. */
#include "host.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <unistd.h>

#define NANOSECONDS 1000000000LL

unsigned ipc_open_flags(int flags)
{
	unsigned host = 0;
	if (flags & O_RDONLY || !(flags & O_WRONLY))
		host |= READ;
	if (flags & O_WRONLY)
		host |= WRITE;
	if (flags & O_CREAT)
		host |= CREATE;
	if (flags & O_EXCL && flags & O_CREAT)
		host |= EXCLUSIVE;
	if (flags & O_NONBLOCK)
		host |= NONBLOCKING;
	if (flags & O_TRUNC)
		host |= TRUNCATE;
	return host;
}

unsigned ipc_get_flags(int flags)
{
	return (flags & IPC_CREAT ? CREATE : 0) | (flags & IPC_CREAT && flags & IPC_EXCL ? EXCLUSIVE : 0);
}

size_t ipc_name(const char *name, char *out)
{
	while (*name == '/')
		name++;
	size_t length = strlen(name);
	if (length == 0 || strchr(name, '/')) {
		errno = EINVAL;
		return 0;
	}
	if (length + 1 > NAME_BYTES) {
		errno = ENAMETOOLONG;
		return 0;
	}
	out[0] = '/';
	memcpy(out + 1, name, length);
	return length + 1;
}

static int has_sense(const struct timespec *time)
{
	return time->tv_nsec >= 0 && time->tv_nsec < NANOSECONDS;
}

/* Saturates: what does not fit is centuries away. */
static int64_t nanoseconds(int64_t seconds, long rest)
{
	return seconds > INT64_MAX / NANOSECONDS - 1 ? INT64_MAX : seconds * NANOSECONDS + rest;
}

int64_t ipc_left(clockid_t clock, const struct timespec *end)
{
	struct timespec now;
	if (!has_sense(end))
		return -EINVAL;
	if (clock_gettime(clock, &now) != 0 || end->tv_sec < now.tv_sec)
		return -ETIMEDOUT;
	int64_t left = nanoseconds(end->tv_sec - now.tv_sec, end->tv_nsec - now.tv_nsec);
	return left <= 0 ? -ETIMEDOUT : left;
}

int64_t ipc_duration(const struct timespec *timeout)
{
	if (!timeout)
		return FOREVER;
	if (!has_sense(timeout) || timeout->tv_sec < 0)
		return -EINVAL;
	return nanoseconds(timeout->tv_sec, timeout->tv_nsec);
}

/* The bits that ftok(3) names: the file's number, its device and the program's number. */
key_t ftok(const char *path, int id)
{
	struct stat status;
	if (stat(path, &status) != 0)
		return (key_t)-1;
	return (key_t)((unsigned)(status.st_ino & 0xffff) | (unsigned)(status.st_dev & 0xff) << 16 | ((unsigned)id & 0xff) << 24);
}

/*
 * The number of this container in its pod, which is what msg_lspid and their like tell. There is no call for it, but
 * a semaphore tells who used it last.
 */
pid_t getpid(void)
{
	static pid_t pid;
	const struct sembuf add = { 0, 1, 0 };
	uint32_t value[4];
	int set;
	if (pid == 0 && ipc_semset_get(IPC_PRIVATE, 1, CREATE, &set) == 0) {
		if (ipc_semset_operate(set, &add, 1, FOREVER) == 0 && ipc_semset_get_value(set, 0, value) == 0)
			pid = (pid_t)value[1];
		ipc_semset_remove(set);
	}
	/* Without a semaphore to be had, the number that a container has by itself. */
	return pid ? pid : 1;
}
