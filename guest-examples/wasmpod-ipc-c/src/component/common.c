/* Errors of the package, and where the bytes of a received list go. */
#include "component.h"

#include <stdlib.h>
#include <string.h>

int ipc_errno(host_error_code_t error)
{
	static const int numbers[] = {
		[HOST_ERROR_CODE_ACCESS] = EACCES,
		[HOST_ERROR_CODE_ALREADY_EXISTS] = EEXIST,
		[HOST_ERROR_CODE_BAD_DESCRIPTOR] = EBADF,
		[HOST_ERROR_CODE_INVALID] = EINVAL,
		[HOST_ERROR_CODE_REMOVED] = EIDRM,
		[HOST_ERROR_CODE_TOO_BIG] = E2BIG,
		[HOST_ERROR_CODE_FILE_TOO_BIG] = EFBIG,
		[HOST_ERROR_CODE_MESSAGE_TOO_LONG] = EMSGSIZE,
		[HOST_ERROR_CODE_NAME_TOO_LONG] = ENAMETOOLONG,
		[HOST_ERROR_CODE_NO_ENTRY] = ENOENT,
		[HOST_ERROR_CODE_NO_MEMORY] = ENOMEM,
		[HOST_ERROR_CODE_NO_MESSAGE] = ENOMSG,
		[HOST_ERROR_CODE_NO_SPACE] = ENOSPC,
		[HOST_ERROR_CODE_OVERFLOW] = EOVERFLOW,
		[HOST_ERROR_CODE_OUT_OF_RANGE] = ERANGE,
		[HOST_ERROR_CODE_TOO_MANY_OPEN] = EMFILE,
		[HOST_ERROR_CODE_TIMED_OUT] = ETIMEDOUT,
		[HOST_ERROR_CODE_WOULD_BLOCK] = EAGAIN,
	};
	return error < sizeof numbers / sizeof numbers[0] ? numbers[error] : EIO;
}

static void *place;
static size_t place_room;

void ipc_receive_at(void *buffer, size_t room)
{
	place = buffer;
	place_room = room;
}

size_t ipc_received(ipc_list_u8_t *list, void *buffer, size_t room)
{
	size_t count = list->len < room ? list->len : room;
	ipc_received_nothing();
	if (list->ptr != buffer) {
		memcpy(buffer, list->ptr, count);
		ipc_list_u8_free(list);
	}
	return count;
}

void ipc_received_nothing(void)
{
	place = NULL;
}

/*
 * The allocator that the host asks for room for what a component receives. A list of bytes goes where the caller wants it,
 * and is copied once. In the place of the weak one that every wit-bindgen brings.
 */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
	(void)old_size;
	if (size == 0)
		return (void *)(uintptr_t)align;
	if (!old && align == 1 && place && size <= place_room) {
		void *there = place;
		place = NULL;
		return there;
	}
	void *memory = realloc(old, size);
	if (!memory)
		abort();
	return memory;
}
