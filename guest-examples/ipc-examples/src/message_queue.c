/* A POSIX message queue, mq_overview(7): jobs for a worker, the urgent ones first. */
#include "examples.h"

#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>

#define QUEUE "/jobs"
#define LONGEST 64

int message_queue(const char *role, const char *name)
{
	/* Both sides may make it: who comes first does. */
	struct mq_attr size = { .mq_maxmsg = 10, .mq_msgsize = LONGEST };
	mqd_t queue = mq_open(QUEUE, O_RDWR | O_CREAT, 0600, &size);
	if (queue == (mqd_t)-1)
		return failed(QUEUE);
	if (is(role, "boss")) {
		const char *jobs[] = { "sweep the floor", "water the plants", "put out the fire" };
		for (unsigned i = 0; i < 3; i++)
			if (mq_send(queue, jobs[i], strlen(jobs[i]), i == 2 ? 9 : 1) != 0)
				return failed("mq_send");
		printf("%s: sent three jobs, and that this is all\n", name);
		return mq_send(queue, "", 0, 0) == 0 ? 0 : failed("mq_send");
	}
	char job[LONGEST];
	unsigned priority;
	ssize_t length;
	while ((length = mq_receive(queue, job, sizeof job, &priority)) > 0)
		printf("%s: %.*s (priority %u)\n", name, (int)length, job, priority);
	if (length < 0)
		return failed("mq_receive");
	printf("%s: nothing left to do\n", name);
	return mq_unlink(QUEUE) == 0 ? 0 : failed("mq_unlink");
}
