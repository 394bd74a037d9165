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

/* Bytes of the character that begins here, 0 for none: RFC 3629, section 4. */
static size_t character(const uint8_t *bytes, size_t length)
{
	const uint8_t first = bytes[0];
	size_t count = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
	/* The second byte's bounds keep out what could be shorter, halves of pairs, and what is too large. */
	uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80, most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	if (count > length)
		return 0;
	for (size_t i = 1; i < count; i++, least = 0x80, most = 0xbf)
		if (bytes[i] < least || bytes[i] > most)
			return 0;
	return count;
}

int ipc_string(const char *name, size_t length, ipc_string_t *out)
{
	*out = (ipc_string_t){ (uint8_t *)(uintptr_t)name, length };
	for (size_t at = 0, count; at < length; at += count)
		if ((count = character(out->ptr + at, length - at)) == 0)
			return EINVAL;
	return 0;
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
