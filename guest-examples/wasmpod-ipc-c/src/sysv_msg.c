/* msgget(2), msgop(2), msgctl(2). Deliberately not there: MSG_COPY, and the commands of ipcs(1). */
#include "host.h"
#include "number.h"

#include <string.h>
#include <sys/msg.h>

int msgget(key_t key, int flags)
{
	int id;
	return answer(ipc_msg_get(key, ipc_get_flags(flags), &id)) == 0 ? id : -1;
}

/* The text of a message lies behind its type, whatever the program's structure is called. */
#define TEXT(message) ((char *)(message) + sizeof(long))

int msgsnd(int id, const void *message, size_t length, int flags)
{
	int64_t type = *(const long *)message;
	ipc_publish();
	return answer(ipc_msg_send(id, type, TEXT(message), length, !(flags & IPC_NOWAIT)));
}

ssize_t msgrcv(int id, void *message, size_t length, long type, int flags)
{
	struct ipc_msg_received out;
	if (flags & ~(IPC_NOWAIT | MSG_NOERROR | MSG_EXCEPT))
		return answer(EINVAL);
	unsigned host = (flags & MSG_NOERROR ? CUT : 0) | (flags & MSG_EXCEPT ? EXCEPT : 0);
	if (answer(ipc_msg_receive(id, TEXT(message), length, type, host, &out, !(flags & IPC_NOWAIT))) != 0)
		return -1;
	ipc_refresh();
	*(long *)message = (long)out.type;
	return (ssize_t)out.length;
}

int msgctl(int id, int command, struct msqid_ds *status)
{
	struct ipc_msg_status out;
	switch (command) {
	case IPC_STAT:
		if (answer(ipc_msg_stat(id, &out)) != 0)
			return -1;
		memset(status, 0, sizeof *status);
		status->msg_perm.__key = out.key;
		status->msg_perm.mode = 0600;
		status->msg_stime = (time_t)out.sent;
		status->msg_rtime = (time_t)out.received;
		status->msg_ctime = (time_t)out.changed;
		status->__msg_cbytes = (unsigned long)out.bytes;
		status->msg_qnum = out.messages;
		status->msg_qbytes = (msglen_t)out.max_bytes;
		status->msg_lspid = (pid_t)out.sender;
		status->msg_lrpid = (pid_t)out.receiver;
		return 0;
	case IPC_SET:
		return answer(ipc_msg_set(id, (int64_t)status->msg_qbytes));
	case IPC_RMID:
		return answer(ipc_msg_remove(id));
	default:
		return answer(EINVAL);
	}
}
