/*
 * The calls that may wait, of core modules. A host function that can wait costs ten times one that cannot, so each call
 * tries first, and waits after that.
 */
#include "../host.h"

#include <sys/sem.h>
#include <wasmpod/mqueue.h>

/* An import whose plain name is taken by the function that tries first. */
#define WAITING(name) __attribute__((import_module("wasmpod_ipc"), import_name(#name))) int host_##name

HOST(mq_try_send)(uint32_t queue, const char *data, size_t length, unsigned priority);
HOST(mq_try_receive)(uint32_t queue, char *buffer, size_t length, uint32_t out[2]);
HOST(mq_try_send_many)(uint32_t queue, const struct wasmpod_mq_message *entries, unsigned count, uint32_t *out);
HOST(mq_try_receive_many)(uint32_t queue, struct wasmpod_mq_message *entries, unsigned count, uint32_t *out);
HOST(mq_wait)(uint32_t queue, unsigned what, int64_t timeout_ns);
HOST(msg_try_send)(int id, int64_t type, const void *data, size_t length);
WAITING(msg_send)(int id, int64_t type, const void *data, size_t length, int64_t timeout_ns);
HOST(msg_try_receive)(int id, void *buffer, size_t length, int64_t type, unsigned flags, struct ipc_msg_received *out);
WAITING(msg_receive)(int id, void *buffer, size_t length, int64_t type, unsigned flags, struct ipc_msg_received *out, int64_t timeout_ns);
HOST(semset_try_operate)(int id, const struct sembuf *operations, unsigned count);
WAITING(semset_operate)(int id, const struct sembuf *operations, unsigned count, int64_t timeout_ns);

/* The host's entries of a batch are the structure as it is, and so are operations. */
_Static_assert(sizeof(struct wasmpod_mq_message) == 12, "an entry is three numbers of 32 bits");
_Static_assert(sizeof(struct sembuf) == 6, "as docs/ipc.md has it");

enum { UNTIL_MESSAGE = 0, UNTIL_SPACE = 1 };

/*
 * Waits for another try, unless the descriptor says not to: its flag is kept by the host, and nobody looks at it before
 * it comes to waiting. An errno.
 */
static int wait(uint32_t queue, unsigned what, const struct timespec *end)
{
	uint32_t out[4];
	int error = ipc_mq_getattr(queue, out);
	if (error)
		return error;
	if (out[0] & NONBLOCKING)
		return EAGAIN;
	int64_t left = end ? ipc_left(CLOCK_REALTIME, end) : FOREVER;
	return end && left < 0 ? (int)-left : ipc_mq_wait(queue, what, left);
}

int ipc_mq_send(uint32_t queue, const char *data, size_t length, unsigned priority, const struct timespec *end)
{
	int error;
	while ((error = ipc_mq_try_send(queue, data, length, priority)) == EAGAIN)
		if ((error = wait(queue, UNTIL_SPACE, end)) != 0)
			break;
	return error;
}

int ipc_mq_receive(uint32_t queue, char *buffer, size_t length, uint32_t out[2], const struct timespec *end)
{
	int error;
	while ((error = ipc_mq_try_receive(queue, buffer, length, out)) == EAGAIN)
		if ((error = wait(queue, UNTIL_MESSAGE, end)) != 0)
			break;
	return error;
}

int ipc_mq_send_many(uint32_t queue, const struct wasmpod_mq_message *messages, unsigned count, uint32_t *out)
{
	int error;
	while ((error = ipc_mq_try_send_many(queue, messages, count, out)) == EAGAIN)
		if ((error = wait(queue, UNTIL_SPACE, NULL)) != 0)
			break;
	return error;
}

int ipc_mq_receive_many(uint32_t queue, struct wasmpod_mq_message *messages, unsigned count, uint32_t *out)
{
	int error;
	while ((error = ipc_mq_try_receive_many(queue, messages, count, out)) == EAGAIN)
		if ((error = wait(queue, UNTIL_MESSAGE, NULL)) != 0)
			break;
	return error;
}

int ipc_msg_send(int id, int64_t type, const void *data, size_t length, int is_waiting)
{
	int error = ipc_msg_try_send(id, type, data, length);
	return error == EAGAIN && is_waiting ? host_msg_send(id, type, data, length, FOREVER) : error;
}

int ipc_msg_receive(int id, void *buffer, size_t length, int64_t type, unsigned flags, struct ipc_msg_received *out, int is_waiting)
{
	int error = ipc_msg_try_receive(id, buffer, length, type, flags, out);
	return error == ENOMSG && is_waiting ? host_msg_receive(id, buffer, length, type, flags, out, FOREVER) : error;
}

int ipc_semset_operate(int id, const struct sembuf *operations, unsigned count, int64_t timeout_ns)
{
	int error = ipc_semset_try_operate(id, operations, count);
	return error == EAGAIN ? host_semset_operate(id, operations, count, timeout_ns) : error;
}
