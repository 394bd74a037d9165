/* POSIX message queues: mq_overview(7), mq_open(3), mq_send(3), mq_receive(3), mq_getattr(3), mq_unlink(3). */
#include "oracle.h"

#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SIZE 16

static struct mq_attr attributes(long messages, long bytes)
{
	struct mq_attr attr;
	memset(&attr, 0, sizeof attr);
	attr.mq_maxmsg = messages;
	attr.mq_msgsize = bytes;
	return attr;
}

static void names(void)
{
	char longest[300];
	memset(longest, 'n', sizeof longest);
	longest[0] = '/';
	longest[257] = '\0';
	CHECK_ERROR("a name must begin with a slash", EINVAL, mq_open("oracle", O_RDONLY));
	CHECK_ERROR("a name is more than a slash", ENOENT, mq_open("/", O_RDONLY));
	CHECK_ERROR("a name has one slash only", EACCES, mq_open("/a/b", O_RDONLY));
	CHECK_ERROR("a name of 256 bytes after the slash is too long", ENAMETOOLONG, mq_open(longest, O_RDONLY));
	CHECK_ERROR("a queue that is not there is not opened", ENOENT, mq_open(name_of("mq"), O_RDWR));
	CHECK_ERROR("a queue that is not there is not unlinked", ENOENT, mq_unlink(name_of("mq")));
}

static void making(void)
{
	struct mq_attr attr = attributes(0, SIZE);
	CHECK_ERROR("a queue holds at least one message", EINVAL, mq_open(name_of("mq"), O_RDWR | O_CREAT, 0600, &attr));
	attr = attributes(2, 0);
	CHECK_ERROR("a message may have at least one byte", EINVAL, mq_open(name_of("mq"), O_RDWR | O_CREAT, 0600, &attr));

	mqd_t queue = mq_open(name_of("default"), O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
	CHECK("a queue is made without attributes", queue != (mqd_t)-1);
	memset(&attr, 0xff, sizeof attr);
	CHECK("its attributes are told", mq_getattr(queue, &attr) == 0);
	CHECK("by default it holds 10 messages of 8192 bytes", attr.mq_maxmsg == 10 && attr.mq_msgsize == 8192);
	CHECK("a new queue is empty and waits", attr.mq_curmsgs == 0 && attr.mq_flags == 0);
	CHECK_ERROR("O_EXCL fails when the name is taken", EEXIST, mq_open(name_of("default"), O_RDWR | O_CREAT | O_EXCL, 0600, NULL));
	CHECK("a queue is closed", mq_close(queue) == 0);
	CHECK_ERROR("a closed descriptor is closed no second time", EBADF, mq_close(queue));
	CHECK("a closed queue is unlinked", mq_unlink(name_of("default")) == 0);
}

static void sending(mqd_t queue)
{
	char buffer[SIZE];
	unsigned priority = 99;
	CHECK_ERROR("a message longer than mq_msgsize is refused", EMSGSIZE, mq_send(queue, "01234567890123456", SIZE + 1, 0));
	CHECK_ERROR("a priority of MQ_PRIO_MAX is refused", EINVAL, mq_send(queue, "x", 1, 32768));
	CHECK("the highest priority is one less", mq_send(queue, "high", 4, 32767) == 0);
	CHECK("a message may be empty", mq_send(queue, "", 0, 5) == 0);
	CHECK("an older message of the same priority", mq_send(queue, "older", 5, 7) == 0);
	CHECK("a newer message of the same priority", mq_send(queue, "newer", 5, 7) == 0);

	struct mq_attr attr = attributes(0, 0);
	CHECK("what is in it is counted", mq_getattr(queue, &attr) == 0 && attr.mq_curmsgs == 4);
	CHECK_ERROR("a buffer shorter than mq_msgsize is refused", EMSGSIZE, mq_receive(queue, buffer, SIZE - 1, &priority));
	CHECK("the highest priority comes first", mq_receive(queue, buffer, SIZE, &priority) == 4 && priority == 32767);
	CHECK("byte for byte", memcmp(buffer, "high", 4) == 0);
	CHECK("then the oldest of the next", mq_receive(queue, buffer, SIZE, &priority) == 5 && priority == 7 && memcmp(buffer, "older", 5) == 0);
	CHECK("then the newer", mq_receive(queue, buffer, SIZE, NULL) == 5 && memcmp(buffer, "newer", 5) == 0);
	CHECK("an empty message has no bytes", mq_receive(queue, buffer, SIZE, &priority) == 0 && priority == 5);
}

static void waiting(mqd_t queue)
{
	char buffer[SIZE];
	struct timespec past = { 0, 0 }, wrong = { 0, 1000000000 }, soon = in_milliseconds(20);
	CHECK_ERROR("receiving from an empty queue ends at its time", ETIMEDOUT, mq_timedreceive(queue, buffer, SIZE, NULL, &soon));
	CHECK_ERROR("a time in the past does not wait", ETIMEDOUT, mq_timedreceive(queue, buffer, SIZE, NULL, &past));
	CHECK_ERROR("a time without sense is an error when it comes to waiting", EINVAL, mq_timedreceive(queue, buffer, SIZE, NULL, &wrong));
	CHECK("a message is sent whatever the time is, when there is space", mq_timedsend(queue, "m", 1, 0, &past) == 0);
	CHECK("and received so", mq_timedreceive(queue, buffer, SIZE, NULL, &past) == 1);

	struct mq_attr flags = attributes(77, 77), before = attributes(0, 0), now = attributes(0, 0);
	flags.mq_flags = O_NONBLOCK;
	CHECK("O_NONBLOCK is set later", mq_setattr(queue, &flags, &before) == 0);
	CHECK("what was before is told", before.mq_flags == 0 && before.mq_maxmsg == 4 && before.mq_msgsize == SIZE);
	CHECK("nothing else can be set", mq_getattr(queue, &now) == 0 && now.mq_flags == O_NONBLOCK && now.mq_maxmsg == 4);
	CHECK_ERROR("then receiving from an empty queue does not wait", EAGAIN, mq_receive(queue, buffer, SIZE, NULL));
	for (int i = 0; i < 4; i++)
		CHECK("a queue takes messages until it is full", mq_send(queue, "m", 1, 0) == 0);
	CHECK_ERROR("sending to a full queue does not wait either", EAGAIN, mq_send(queue, "m", 1, 0));
	flags.mq_flags = 0;
	CHECK("O_NONBLOCK is taken back", mq_setattr(queue, &flags, NULL) == 0);
	soon = in_milliseconds(20);
	CHECK_ERROR("sending to a full queue ends at its time", ETIMEDOUT, mq_timedsend(queue, "m", 1, 0, &soon));
}

static void directions(void)
{
	char buffer[SIZE];
	mqd_t reader = mq_open(name_of("mq"), O_RDONLY | O_NONBLOCK);
	mqd_t writer = mq_open(name_of("mq"), O_WRONLY | O_NONBLOCK);
	struct mq_attr attr = attributes(0, 0);
	CHECK("a queue is opened for each direction", reader != (mqd_t)-1 && writer != (mqd_t)-1);
	CHECK("O_NONBLOCK belongs to the open description", mq_getattr(reader, &attr) == 0 && attr.mq_flags == O_NONBLOCK);
	CHECK_ERROR("a reader does not send", EBADF, mq_send(reader, "m", 1, 0));
	CHECK_ERROR("a writer does not receive", EBADF, mq_receive(writer, buffer, SIZE, NULL));
	CHECK("the name is unlinked", mq_unlink(name_of("mq")) == 0);
	CHECK_ERROR("then nobody finds it", ENOENT, mq_open(name_of("mq"), O_RDONLY));
	CHECK("who has it open still receives", mq_receive(reader, buffer, SIZE, NULL) == 1);
	CHECK("both are closed", mq_close(reader) == 0 && mq_close(writer) == 0);
}

void mq_alone(void)
{
	struct mq_attr attr = attributes(4, SIZE);
	names();
	making();
	mqd_t queue = mq_open(name_of("mq"), O_RDWR | O_CREAT, 0600, &attr);
	CHECK("a queue is made with attributes", queue != (mqd_t)-1);
	sending(queue);
	waiting(queue);
	directions();
	CHECK("the last descriptor is closed", mq_close(queue) == 0);
	CHECK_ERROR("a closed queue gives nothing", EBADF, mq_getattr(queue, &attr));
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGINT };
	CHECK_ERROR("and tells nothing, however it is asked for", EBADF, mq_notify(queue, &event));
}

#define MESSAGES 200

/* Sends more than the queue holds, and then hears from the other side. */
void mq_first(void)
{
	struct mq_attr attr = attributes(3, SIZE);
	char buffer[SIZE];
	mqd_t to = mq_open(name_of("to"), O_WRONLY | O_CREAT, 0600, &attr);
	mqd_t from = mq_open(name_of("from"), O_RDONLY | O_CREAT, 0600, &attr);
	CHECK("both queues are open", to != (mqd_t)-1 && from != (mqd_t)-1);
	int sent = 0;
	for (int i = 0; i < MESSAGES; i++) {
		int length = snprintf(buffer, sizeof buffer, "message %d", i);
		sent += mq_send(to, buffer, (size_t)length, 0) == 0;
	}
	CHECK("a sender waits for space and sends everything", sent == MESSAGES);
	CHECK("the other side answers", mq_receive(from, buffer, SIZE, NULL) == 4 && memcmp(buffer, "done", 4) == 0);
	CHECK("the names are unlinked", mq_unlink(name_of("to")) == 0 && mq_unlink(name_of("from")) == 0);
	CHECK("the queues are closed", mq_close(to) == 0 && mq_close(from) == 0);
}

void mq_second(void)
{
	char buffer[SIZE], expected[SIZE];
	mqd_t to = (mqd_t)-1, from = (mqd_t)-1;
	EVENTUALLY("the first queue appears", (to = mq_open(name_of("to"), O_RDONLY)) != (mqd_t)-1);
	EVENTUALLY("the second queue appears", (from = mq_open(name_of("from"), O_WRONLY)) != (mqd_t)-1);
	int received = 0;
	for (int i = 0; i < MESSAGES; i++) {
		int length = snprintf(expected, sizeof expected, "message %d", i);
		received += mq_receive(to, buffer, SIZE, NULL) == length && memcmp(buffer, expected, (size_t)length) == 0;
	}
	CHECK("a receiver waits for messages and gets all in order", received == MESSAGES);
	CHECK("an answer is sent", mq_send(from, "done", 4, 1) == 0);
	CHECK("the queues are closed", mq_close(to) == 0 && mq_close(from) == 0);
}
