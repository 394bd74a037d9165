/* POSIX message queues, of components. A handle that is not open would end the component, so descriptors are looked up. */
#include "component.h"

#include <stdlib.h>
#include <string.h>
#include <wasmpod/mqueue.h>

struct queue {
	int is_open;
	host_mq_own_queue_t handle;
	/* Fixed when the queue is made. */
	uint32_t message_size;
	int has_notification;
	host_mq_own_notification_t notification;
};

/* Descriptors are places here. */
static struct queue *queues;
static uint32_t queue_count;

static struct queue *find(uint32_t descriptor)
{
	return descriptor < queue_count && queues[descriptor].is_open ? &queues[descriptor] : NULL;
}

static host_mq_borrow_queue_t borrow(const struct queue *queue)
{
	return (host_mq_borrow_queue_t){ queue->handle.__handle };
}

/* An open one is never NULL: descriptors count from 0, and a failed mq_open gives -1. */
static int free_place(uint32_t *out)
{
	for (*out = 0; *out < queue_count; ++*out)
		if (!queues[*out].is_open)
			return 0;
	struct queue *more = realloc(queues, (queue_count + 1) * sizeof *more);
	if (!more)
		return ENOMEM;
	queues = more;
	queues[queue_count++].is_open = 0;
	return 0;
}

/* Of this interface's own list. */
static int outcome(bool worked, host_mq_error_code_t error)
{
	static const int numbers[] = {
		[HOST_MQ_ERROR_CODE_ACCESS] = EACCES,
		[HOST_MQ_ERROR_CODE_ALREADY_EXISTS] = EEXIST,
		[HOST_MQ_ERROR_CODE_BAD_DESCRIPTOR] = EBADF,
		[HOST_MQ_ERROR_CODE_INVALID] = EINVAL,
		[HOST_MQ_ERROR_CODE_MESSAGE_TOO_LONG] = EMSGSIZE,
		[HOST_MQ_ERROR_CODE_NAME_TOO_LONG] = ENAMETOOLONG,
		[HOST_MQ_ERROR_CODE_NO_ENTRY] = ENOENT,
		[HOST_MQ_ERROR_CODE_NO_MEMORY] = ENOMEM,
		[HOST_MQ_ERROR_CODE_NO_SPACE] = ENOSPC,
		[HOST_MQ_ERROR_CODE_TOO_MANY_OPEN] = EMFILE,
		[HOST_MQ_ERROR_CODE_TIMED_OUT] = ETIMEDOUT,
		[HOST_MQ_ERROR_CODE_WOULD_BLOCK] = EAGAIN,
	};
	if (worked)
		return 0;
	return error < sizeof numbers / sizeof numbers[0] ? numbers[error] : EIO;
}

int ipc_mq_open(const char *name, size_t length, unsigned flags, unsigned messages, unsigned bytes, uint32_t *out)
{
	ipc_string_t string;
	host_mq_attributes_t attributes = { messages, bytes };
	host_mq_own_queue_t handle;
	host_mq_error_code_t code;
	host_mq_status_t status;
	int error = ipc_string(name, length, &string);
	if (error == 0)
		error = free_place(out);
	if (error == 0)
		error = outcome(host_mq_static_queue_open(&string, (host_mq_open_flags_t)flags, messages || bytes ? &attributes : NULL, &handle, &code), code);
	if (error)
		return error;
	struct queue *queue = &queues[*out];
	*queue = (struct queue){ .is_open = 1, .handle = handle };
	host_mq_method_queue_status(borrow(queue), &status);
	queue->message_size = status.message_size;
	return 0;
}

static void drop_notification(struct queue *queue)
{
	if (queue->has_notification)
		host_mq_notification_drop_own(queue->notification);
	queue->has_notification = 0;
}

int ipc_mq_close(uint32_t descriptor)
{
	struct queue *queue = find(descriptor);
	if (!queue)
		return EBADF;
	drop_notification(queue);
	host_mq_queue_drop_own(queue->handle);
	queue->is_open = 0;
	return 0;
}

int ipc_mq_unlink(const char *name, size_t length)
{
	ipc_string_t string;
	host_mq_error_code_t code;
	int error = ipc_string(name, length, &string);
	return error ? error : outcome(host_mq_unlink(&string, &code), code);
}

int ipc_mq_getattr(uint32_t descriptor, uint32_t out[4])
{
	const struct queue *queue = find(descriptor);
	host_mq_status_t status;
	if (!queue)
		return EBADF;
	host_mq_method_queue_status(borrow(queue), &status);
	out[0] = status.nonblocking ? NONBLOCKING : 0;
	out[1] = status.max_messages;
	out[2] = status.message_size;
	out[3] = status.current_messages;
	return 0;
}

int ipc_mq_setattr(uint32_t descriptor, unsigned flags)
{
	const struct queue *queue = find(descriptor);
	if (!queue)
		return EBADF;
	host_mq_method_queue_set_nonblocking(borrow(queue), flags & NONBLOCKING);
	return 0;
}

/*
 * Nanoseconds until a time of day for a call that could not be done at once; an errno. A time without sense is an error
 * only then.
 */
static int left_until(const struct timespec *end, uint64_t *out)
{
	int64_t left = ipc_left(CLOCK_REALTIME, end);
	if (left < 0)
		return (int)-left;
	*out = (uint64_t)left;
	return 0;
}

int ipc_mq_send(uint32_t descriptor, const char *data, size_t length, unsigned priority, const struct timespec *end)
{
	const struct queue *queue = find(descriptor);
	ipc_list_u8_t list = ipc_bytes(data, length);
	host_mq_error_code_t code;
	uint64_t left;
	if (!queue)
		return EBADF;
	if (!end)
		return outcome(host_mq_method_queue_send(borrow(queue), &list, priority, &code), code);
	int error = outcome(host_mq_method_queue_timed_send(borrow(queue), &list, priority, 0, &code), code);
	if (error == ETIMEDOUT && (error = left_until(end, &left)) == 0)
		error = outcome(host_mq_method_queue_timed_send(borrow(queue), &list, priority, left, &code), code);
	return error;
}

int ipc_mq_receive(uint32_t descriptor, char *buffer, size_t length, uint32_t out[2], const struct timespec *end)
{
	const struct queue *queue = find(descriptor);
	host_mq_message_t message;
	host_mq_error_code_t code;
	uint64_t left;
	int error;
	if (!queue)
		return EBADF;
	if (length < queue->message_size)
		return EMSGSIZE;
	ipc_receive_at(buffer, length);
	if (!end) {
		error = outcome(host_mq_method_queue_receive(borrow(queue), &message, &code), code);
	} else {
		error = outcome(host_mq_method_queue_timed_receive(borrow(queue), 0, &message, &code), code);
		if (error == ETIMEDOUT && (error = left_until(end, &left)) == 0)
			error = outcome(host_mq_method_queue_timed_receive(borrow(queue), left, &message, &code), code);
	}
	if (error) {
		ipc_received_nothing();
		return error;
	}
	out[0] = (uint32_t)ipc_received(&message.data, buffer, length);
	out[1] = message.priority;
	return 0;
}

/* A message in a batch: its length and its priority, and then its bytes. */
#define HEAD (2 * sizeof(uint32_t))

/* Bytes of a batch, roughly: one longer message goes with it, and more messages wait for the next call. */
#define BATCH_BYTES ((size_t)65536)

int ipc_mq_send_many(uint32_t descriptor, const struct wasmpod_mq_message *messages, unsigned count, uint32_t *out)
{
	const struct queue *queue = find(descriptor);
	host_mq_error_code_t code;
	size_t bytes = 0;
	unsigned taken = 0;
	*out = 0;
	if (!queue)
		return EBADF;
	if (count == 0)
		return 0;
	/* The first decides whether there is an error; of the others those are tried that can be right. */
	if (messages[0].length > queue->message_size)
		return EMSGSIZE;
	for (; taken < count && bytes < BATCH_BYTES && messages[taken].length <= queue->message_size; taken++)
		bytes += HEAD + messages[taken].length;
	uint8_t *batch = malloc(bytes), *end = batch;
	if (!batch)
		return ENOMEM;
	for (unsigned i = 0; i < taken; i++) {
		const uint32_t head[2] = { messages[i].length, messages[i].priority };
		memcpy(end, head, HEAD);
		memcpy(end + HEAD, messages[i].data, head[0]);
		end += HEAD + head[0];
	}
	ipc_list_u8_t list = { batch, bytes };
	int error = outcome(host_mq_method_queue_send_batch(borrow(queue), &list, out, &code), code);
	free(batch);
	return error;
}

int ipc_mq_receive_many(uint32_t descriptor, struct wasmpod_mq_message *messages, unsigned count, uint32_t *out)
{
	const struct queue *queue = find(descriptor);
	host_mq_error_code_t code;
	ipc_list_u8_t list;
	*out = 0;
	if (!queue)
		return EBADF;
	if (count == 0)
		return 0;
	for (unsigned i = 0; i < count; i++)
		if (messages[i].length < queue->message_size)
			return EMSGSIZE;
	int error = outcome(host_mq_method_queue_receive_batch(borrow(queue), count, BATCH_BYTES, &list, &code), code);
	if (error)
		return error;
	for (const uint8_t *next = list.ptr, *end = list.ptr + list.len; *out < count && (size_t)(end - next) >= HEAD; ++*out) {
		uint32_t head[2];
		memcpy(head, next, HEAD);
		memcpy(messages[*out].data, next + HEAD, head[0]);
		messages[*out].length = head[0];
		messages[*out].priority = head[1];
		next += HEAD + head[0];
	}
	ipc_list_u8_free(&list);
	return 0;
}

int ipc_mq_notify(uint32_t descriptor, unsigned on)
{
	struct queue *queue = find(descriptor);
	if (!queue)
		return EBADF;
	if (!on) {
		drop_notification(queue);
		return 0;
	}
	host_mq_own_notification_t notification;
	if (!host_mq_method_queue_notify(borrow(queue), &notification))
		return EBUSY;
	/* What came before and nobody waited for is forgotten. */
	drop_notification(queue);
	queue->notification = notification;
	queue->has_notification = 1;
	return 0;
}

int ipc_mq_notify_wait(uint32_t descriptor, int64_t timeout_ns)
{
	struct queue *queue = find(descriptor);
	host_mq_error_code_t code;
	if (!queue)
		return EBADF;
	if (!queue->has_notification)
		return EINVAL;
	const host_mq_borrow_notification_t notification = { queue->notification.__handle };
	int error = outcome(host_mq_method_notification_wait(notification, ipc_option(&timeout_ns), &code), code);
	if (error == 0)
		drop_notification(queue);
	return error;
}
