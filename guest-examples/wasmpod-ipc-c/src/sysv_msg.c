/* msgget(2), msgop(2), msgctl(2). Deliberately not there: MSG_COPY, and the commands of ipcs(1). */
#include "imports.h"

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
	int error = ipc_msg_try_send(id, type, TEXT(message), length);
	if (error == EAGAIN && !(flags & IPC_NOWAIT))
		error = ipc_msg_send(id, type, TEXT(message), length, FOREVER);
	return answer(error);
}

ssize_t msgrcv(int id, void *message, size_t length, long type, int flags)
{
	enum { CUT = 1, EXCEPT = 2 };
	struct {
		uint32_t length, nothing;
		int64_t type;
	} out;
	if (flags & ~(IPC_NOWAIT | MSG_NOERROR | MSG_EXCEPT))
		return answer(EINVAL);
	unsigned host = (flags & MSG_NOERROR ? CUT : 0) | (flags & MSG_EXCEPT ? EXCEPT : 0);
	int error = ipc_msg_try_receive(id, TEXT(message), length, type, host, &out);
	if (error == ENOMSG && !(flags & IPC_NOWAIT))
		error = ipc_msg_receive(id, TEXT(message), length, type, host, &out, FOREVER);
	if (error)
		return answer(error);
	*(long *)message = (long)out.type;
	return (ssize_t)out.length;
}

int msgctl(int id, int command, struct msqid_ds *status)
{
	struct {
		int32_t key;
		uint32_t messages;
		uint64_t bytes, max_bytes;
		uint32_t sender, receiver;
		uint64_t sent, received, changed;
	} out;
	_Static_assert(sizeof out == 56, "as docs/ipc.md has it");
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
