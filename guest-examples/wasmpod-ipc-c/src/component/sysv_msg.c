/* System V message queues, of components. */
#include "component.h"

int ipc_msg_get(int key, unsigned flags, int *out)
{
	host_error_code_t code;
	return ipc_outcome(host_msg_get(key, ipc_creation(flags), out, &code), code);
}

int ipc_msg_send(int id, int64_t type, const void *data, size_t length, int is_waiting)
{
	host_msg_message_t message = { type, ipc_bytes(data, length) };
	host_error_code_t code;
	return ipc_outcome(host_msg_send(id, &message, !is_waiting, NULL, &code), code);
}

int ipc_msg_receive(int id, void *buffer, size_t length, int64_t type, unsigned flags, struct ipc_msg_received *out, int is_waiting)
{
	host_msg_message_t message;
	host_error_code_t code;
	host_msg_receive_flags_t host = (host_msg_receive_flags_t)((is_waiting ? 0 : HOST_MSG_RECEIVE_FLAGS_NO_WAIT) |
		(flags & CUT ? HOST_MSG_RECEIVE_FLAGS_TRUNCATE : 0) | (flags & EXCEPT ? HOST_MSG_RECEIVE_FLAGS_EXCEPT : 0));
	ipc_receive_at(buffer, length);
	int error = ipc_outcome(host_msg_receive(id, type, (uint32_t)length, host, NULL, &message, &code), code);
	if (error) {
		ipc_received_nothing();
		return error;
	}
	out->type = message.message_type;
	out->length = (uint32_t)ipc_received(&message.data, buffer, length);
	return 0;
}

int ipc_msg_stat(int id, struct ipc_msg_status *out)
{
	host_msg_status_t status;
	host_error_code_t code;
	int error = ipc_outcome(host_msg_stat(id, &status, &code), code);
	if (error == 0)
		*out = (struct ipc_msg_status){
			.key = status.key,
			.messages = status.messages,
			.bytes = status.bytes,
			.max_bytes = status.max_bytes,
			.sender = status.last_sender,
			.receiver = status.last_receiver,
			.sent = status.send_time,
			.received = status.receive_time,
			.changed = status.change_time,
		};
	return error;
}

int ipc_msg_set(int id, int64_t max_bytes)
{
	host_error_code_t code;
	return max_bytes < 0 ? EINVAL : ipc_outcome(host_msg_set_max_bytes(id, (uint64_t)max_bytes, &code), code);
}

int ipc_msg_remove(int id)
{
	host_error_code_t code;
	return ipc_outcome(host_msg_remove(id, &code), code);
}
