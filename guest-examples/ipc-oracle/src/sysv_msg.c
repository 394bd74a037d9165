/* System V message queues: sysvipc(7), msgget(2), msgop(2), msgctl(2). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MSG_EXCEPT */
#endif
#include "oracle.h"

#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <unistd.h>

struct message {
	long mtype;
	char mtext[32];
};

static int send(int queue, long type, const char *text, int flags)
{
	struct message message;
	message.mtype = type;
	strncpy(message.mtext, text, sizeof message.mtext);
	return msgsnd(queue, &message, strlen(text), flags);
}

/* Whether the next message of `type` is this one. */
static int receives(int queue, long type, int flags, long expected_type, const char *text)
{
	struct message message;
	memset(&message, 0, sizeof message);
	ssize_t length = msgrcv(queue, &message, sizeof message.mtext, type, flags);
	return length == (ssize_t)strlen(text) && message.mtype == expected_type && memcmp(message.mtext, text, (size_t)length) == 0;
}

static void making(void)
{
	CHECK_ERROR("a key that nobody has is not found", ENOENT, msgget(key_of(0), 0));
	int queue = msgget(key_of(0), IPC_CREAT | IPC_EXCL | 0600);
	CHECK("a queue is made for a key", queue != -1);
	CHECK("the key leads to it", msgget(key_of(0), 0) == queue && msgget(key_of(0), IPC_CREAT | 0600) == queue);
	CHECK_ERROR("IPC_EXCL fails when the key is taken", EEXIST, msgget(key_of(0), IPC_CREAT | IPC_EXCL | 0600));
	int private = msgget(IPC_PRIVATE, 0600), other = msgget(IPC_PRIVATE, 0600);
	CHECK("IPC_PRIVATE always makes another", private != -1 && other != -1 && private != other && private != queue);
	CHECK("they are removed", msgctl(private, IPC_RMID, NULL) == 0 && msgctl(other, IPC_RMID, NULL) == 0);
	CHECK_ERROR("a removed queue is no more", EINVAL, send(private, 1, "m", 0));
}

static void choosing(int queue)
{
	struct message message;
	CHECK_ERROR("a type of zero is refused", EINVAL, send(queue, 0, "m", 0));
	CHECK_ERROR("so is one below zero", EINVAL, send(queue, -1, "m", 0));
	CHECK_ERROR("no message is taken from an empty queue", ENOMSG, msgrcv(queue, &message, 10, 0, IPC_NOWAIT));
	CHECK("messages of several types", send(queue, 5, "five", 0) == 0 && send(queue, 3, "three", 0) == 0 &&
		send(queue, 9, "nine", 0) == 0 && send(queue, 3, "three again", 0) == 0 && send(queue, 4, "", 0) == 0);
	CHECK("a type chooses its oldest", receives(queue, 3, 0, 3, "three"));
	CHECK("zero chooses the oldest", receives(queue, 0, 0, 5, "five"));
	CHECK_ERROR("a type that is not there is not found", ENOMSG, msgrcv(queue, &message, 10, 5, IPC_NOWAIT));
	CHECK("below zero chooses the least type up to it", receives(queue, -9, 0, 3, "three again"));
	CHECK("a message may be empty", receives(queue, -4, 0, 4, ""));
	CHECK("MSG_EXCEPT chooses another type", send(queue, 2, "two", 0) == 0 && receives(queue, 9, MSG_EXCEPT, 2, "two"));
	CHECK_ERROR("a message longer than the buffer stays", E2BIG, msgrcv(queue, &message, 2, 0, IPC_NOWAIT));
	memset(&message, 0, sizeof message);
	CHECK("MSG_NOERROR cuts it", msgrcv(queue, &message, 2, 0, MSG_NOERROR) == 2 && memcmp(message.mtext, "ni\0", 3) == 0);
	CHECK_ERROR("the rest is lost", ENOMSG, msgrcv(queue, &message, 10, 0, IPC_NOWAIT));
}

static void looking(int queue)
{
	struct msqid_ds status;
	struct message message;
	memset(&status, 0xff, sizeof status);
	CHECK("a queue tells of itself", msgctl(queue, IPC_STAT, &status) == 0);
	CHECK("its permissions and that it is empty", (status.msg_perm.mode & 0777) == 0600 && status.msg_qnum == 0);
	CHECK("who sent and received last", status.msg_lspid == getpid() && status.msg_lrpid == getpid());
	CHECK("and when", status.msg_stime > 0 && status.msg_rtime >= status.msg_stime && status.msg_ctime > 0);
	status.msg_qbytes = 10;
	CHECK("its size is made smaller", msgctl(queue, IPC_SET, &status) == 0);
	CHECK("which it tells", msgctl(queue, IPC_STAT, &status) == 0 && status.msg_qbytes == 10);
	CHECK("messages are counted", send(queue, 1, "12345", 0) == 0 && send(queue, 1, "67890", 0) == 0 &&
		msgctl(queue, IPC_STAT, &status) == 0 && status.msg_qnum == 2);
	CHECK_ERROR("a full queue takes none without waiting", EAGAIN, send(queue, 1, "m", IPC_NOWAIT));
	CHECK("what is in it comes out", receives(queue, 0, 0, 1, "12345") && receives(queue, 0, 0, 1, "67890"));
	CHECK("the queue is removed", msgctl(queue, IPC_RMID, NULL) == 0);
	CHECK_ERROR("and its key is free", ENOENT, msgget(key_of(0), 0));
	CHECK_ERROR("nobody receives from it", EINVAL, msgrcv(queue, &message, 10, 0, 0));
	CHECK_ERROR("nor looks at it", EINVAL, msgctl(queue, IPC_STAT, &status));
}

void sysv_msg_alone(void)
{
	making();
	int queue = msgget(key_of(0), 0600);
	choosing(queue);
	looking(queue);
	key_t key = ftok(shared_file(), 'a');
	CHECK("ftok makes a key of a file", key != (key_t)-1 && key == ftok(shared_file(), 'a'));
	CHECK("and another of another number", key != ftok(shared_file(), 'b'));
	CHECK_ERROR("a file that is not there has no key", ENOENT, ftok("/no/such/file", 'a'));
}

#define MESSAGES 300

/* Both sides find the queue by the key of a file. The second has type 2 for itself. */
void sysv_msg_first(void)
{
	char text[32];
	struct message message;
	int queue = msgget(ftok(shared_file(), 'q'), IPC_CREAT | 0600);
	CHECK("both sides find the queue by a file", queue != -1);
	struct msqid_ds status;
	CHECK("it is made small", msgctl(queue, IPC_STAT, &status) == 0 && (status.msg_qbytes = 64, msgctl(queue, IPC_SET, &status) == 0));
	int sent = 0;
	for (int i = 0; i < MESSAGES; i++) {
		snprintf(text, sizeof text, "message %d", i);
		sent += send(queue, 1 + i % 2, text, 0) == 0;
	}
	CHECK("a sender waits for space and sends everything", sent == MESSAGES);
	CHECK("the other side answers", receives(queue, 7, 0, 7, "done"));
	CHECK("the other side is ready to wait", receives(queue, 8, 0, 8, "waiting"));
	pause_a_millisecond();
	CHECK("the queue is removed while the other side waits", msgctl(queue, IPC_RMID, NULL) == 0);
	CHECK_ERROR("a removed queue gives nothing", EINVAL, msgrcv(queue, &message, 10, 0, 0));
}

void sysv_msg_second(void)
{
	char text[32];
	struct message message;
	int queue = msgget(ftok(shared_file(), 'q'), IPC_CREAT | 0600);
	CHECK("both sides find the queue by a file", queue != -1);
	int received = 0;
	for (int i = 0; i < MESSAGES; i++) {
		snprintf(text, sizeof text, "message %d", i);
		received += receives(queue, i % 3 ? 1 + i % 2 : 0, 0, 1 + i % 2, text);
	}
	CHECK("a receiver waits for messages and gets all in order", received == MESSAGES);
	CHECK("an answer is sent", send(queue, 7, "done", 0) == 0 && send(queue, 8, "waiting", 0) == 0);
	errno = 0;
	CHECK("who waits while the queue is removed is told", msgrcv(queue, &message, 10, 9, 0) == -1 && (errno == EIDRM || errno == EINVAL));
}
