/* msgget(2), msgop(2), msgctl(2). */
#ifndef WASMPOD_SYS_MSG_H
#define WASMPOD_SYS_MSG_H

#include <sys/ipc.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MSG_NOERROR 010000
#define MSG_EXCEPT 020000

typedef unsigned long msgqnum_t;
typedef unsigned long msglen_t;

struct msqid_ds {
	struct ipc_perm msg_perm;
	time_t msg_stime;
	time_t msg_rtime;
	time_t msg_ctime;
	unsigned long __msg_cbytes;
	msgqnum_t msg_qnum;
	msglen_t msg_qbytes;
	pid_t msg_lspid;
	pid_t msg_lrpid;
};

/* What a program's own messages look like; `long` has 32 bits here. */
struct msgbuf {
	long mtype;
	char mtext[1];
};

int msgget(key_t key, int flags);
int msgsnd(int id, const void *message, size_t length, int flags);
ssize_t msgrcv(int id, void *message, size_t length, long type, int flags);
int msgctl(int id, int command, struct msqid_ds *status);

#ifdef __cplusplus
}
#endif

#endif
