/* mq_overview(7). */
#include "host.h"
#include "number.h"

#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <wasmpod/mqueue.h>

mqd_t mq_open(const char *name, int flags, ...)
{
	uint32_t queue, messages = 0, bytes = 0;
	if (flags & O_CREAT) {
		va_list rest;
		va_start(rest, flags);
		(void)va_arg(rest, mode_t);
		const struct mq_attr *attr = va_arg(rest, const struct mq_attr *);
		va_end(rest);
		if (attr) {
			/* Two zeros stand for the default, which nobody asked for. */
			if (attr->mq_maxmsg <= 0 || attr->mq_msgsize <= 0)
				return answer(EINVAL);
			messages = (uint32_t)attr->mq_maxmsg;
			bytes = (uint32_t)attr->mq_msgsize;
		}
	}
	unsigned host = ipc_open_flags(flags) & ~(unsigned)TRUNCATE;
	return answer(ipc_mq_open(name, strlen(name), host, messages, bytes, &queue)) == 0 ? (mqd_t)queue : (mqd_t)-1;
}

int mq_close(mqd_t queue)
{
	return answer(ipc_mq_close((uint32_t)queue));
}

int mq_unlink(const char *name)
{
	return answer(ipc_mq_unlink(name, strlen(name)));
}

int mq_getattr(mqd_t queue, struct mq_attr *attr)
{
	uint32_t out[4];
	if (answer(ipc_mq_getattr((uint32_t)queue, out)) != 0)
		return -1;
	memset(attr, 0, sizeof *attr);
	attr->mq_flags = out[0] & NONBLOCKING ? O_NONBLOCK : 0;
	attr->mq_maxmsg = (long)out[1];
	attr->mq_msgsize = (long)out[2];
	attr->mq_curmsgs = (long)out[3];
	return 0;
}

int mq_setattr(mqd_t queue, const struct mq_attr *restrict attr, struct mq_attr *restrict before)
{
	if (before && mq_getattr(queue, before) != 0)
		return -1;
	/* The page knows one flag; Linux refuses others. */
	if (attr->mq_flags & ~(long)O_NONBLOCK)
		return answer(EINVAL);
	return answer(ipc_mq_setattr((uint32_t)queue, attr->mq_flags ? NONBLOCKING : 0));
}

int mq_timedsend(mqd_t queue, const char *data, size_t length, unsigned priority, const struct timespec *end)
{
	ipc_publish();
	return answer(ipc_mq_send((uint32_t)queue, data, length, priority, end));
}

int mq_send(mqd_t queue, const char *data, size_t length, unsigned priority)
{
	return mq_timedsend(queue, data, length, priority, NULL);
}

ssize_t mq_timedreceive(mqd_t queue, char *restrict buffer, size_t length, unsigned *restrict priority, const struct timespec *restrict end)
{
	uint32_t out[2];
	int error = ipc_mq_receive((uint32_t)queue, buffer, length, out, end);
	if (error)
		return answer(error);
	ipc_refresh();
	if (priority)
		*priority = out[1];
	return (ssize_t)out[0];
}

ssize_t mq_receive(mqd_t queue, char *buffer, size_t length, unsigned *priority)
{
	return mq_timedreceive(queue, buffer, length, priority, NULL);
}

int mq_notify(mqd_t queue, const struct sigevent *event)
{
	uint32_t out[4];
	if (event && event->sigev_notify != SIGEV_NONE) {
		/* No signals and no threads; but what is wrong with the descriptor is said first. */
		int error = ipc_mq_getattr((uint32_t)queue, out);
		return answer(error ? error : ENOSYS);
	}
	return answer(ipc_mq_notify((uint32_t)queue, event != NULL));
}

int wasmpod_mq_notify_wait(mqd_t queue, const struct timespec *timeout)
{
	int64_t left = ipc_duration(timeout);
	if (answer(left == -EINVAL ? EINVAL : ipc_mq_notify_wait((uint32_t)queue, left)) != 0)
		return -1;
	ipc_refresh();
	return 0;
}

int wasmpod_mq_send_many(mqd_t queue, const struct wasmpod_mq_message *messages, unsigned count)
{
	uint32_t sent;
	ipc_publish();
	return answer(ipc_mq_send_many((uint32_t)queue, messages, count, &sent)) == 0 ? (int)sent : -1;
}

int wasmpod_mq_receive_many(mqd_t queue, struct wasmpod_mq_message *messages, unsigned count)
{
	uint32_t received;
	if (answer(ipc_mq_receive_many((uint32_t)queue, messages, count, &received)) != 0)
		return -1;
	ipc_refresh();
	return (int)received;
}
