/*
 * What mqueue.h cannot say. A guest has no signals and no threads, so mq_notify(3) takes SIGEV_NONE only; the
 * notification is then waited for.
 */
#ifndef WASMPOD_MQUEUE_EXTRA_H
#define WASMPOD_MQUEUE_EXTRA_H

#include <mqueue.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One message of a batch. */
struct wasmpod_mq_message {
	char *data;
	/* Bytes of the message; before receiving, of the buffer. */
	size_t length;
	unsigned priority;
};

/*
 * Waits until what mq_notify asked for has come, and forgets it; with a time, for at most so long. Returns 0, or -1 and
 * errno: EINVAL (nothing was asked for), ETIMEDOUT.
 */
int wasmpod_mq_notify_wait(mqd_t queue, const struct timespec *timeout);

/*
 * Sends messages in order and returns how many: waits for space for the first only (unless O_NONBLOCK), and sends what
 * fits, at most 4096. One call for many short messages costs much less than a call for each.
 */
int wasmpod_mq_send_many(mqd_t queue, const struct wasmpod_mq_message *messages, unsigned count);

/* Receives up to `count` messages, each into its buffer, and returns how many: waits for the first only. */
int wasmpod_mq_receive_many(mqd_t queue, struct wasmpod_mq_message *messages, unsigned count);

#ifdef __cplusplus
}
#endif

#endif
