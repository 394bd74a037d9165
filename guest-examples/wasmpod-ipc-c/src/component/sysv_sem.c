/* System V semaphore sets, of components. */
#include "component.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>

/* Operations that need no memory of their own; programs have one or two. */
enum { FEW = 8 };

int ipc_semset_get(int key, unsigned count, unsigned flags, int *out)
{
	host_error_code_t code;
	return ipc_outcome(host_semset_get(key, count, ipc_creation(flags), out, &code), code);
}

int ipc_semset_operate(int id, const struct sembuf *operations, unsigned count, int64_t timeout_ns)
{
	host_semset_operation_t few[FEW], *converted = few;
	host_error_code_t code;
	/* More than a pod may ever allow. */
	if (count > UINT16_MAX)
		return E2BIG;
	if (count > FEW && !(converted = malloc(count * sizeof *converted)))
		return ENOMEM;
	for (unsigned i = 0; i < count; i++)
		converted[i] = (host_semset_operation_t){ operations[i].sem_num, operations[i].sem_op,
			(host_semset_operation_flags_t)((operations[i].sem_flg & IPC_NOWAIT ? HOST_SEMSET_OPERATION_FLAGS_NO_WAIT : 0) |
				(operations[i].sem_flg & SEM_UNDO ? HOST_SEMSET_OPERATION_FLAGS_UNDO : 0)) };
	host_semset_list_operation_t list = { converted, count };
	int error = ipc_outcome(host_semset_operate(id, &list, ipc_option(&timeout_ns), &code), code);
	if (converted != few)
		free(converted);
	return error;
}

int ipc_semset_get_value(int id, unsigned number, uint32_t out[4])
{
	host_semset_value_t value;
	host_error_code_t code;
	int error = ipc_outcome(host_semset_get_value(id, number, &value, &code), code);
	if (error == 0) {
		out[0] = value.value;
		out[1] = value.last_container;
		out[2] = value.waiting_for_more;
		out[3] = value.waiting_for_zero;
	}
	return error;
}

int ipc_semset_set_value(int id, unsigned number, unsigned value)
{
	host_error_code_t code;
	return ipc_outcome(host_semset_set_value(id, number, value, &code), code);
}

int ipc_semset_get_all(int id, uint16_t *out, unsigned count)
{
	ipc_list_u16_t list;
	host_error_code_t code;
	int error = ipc_outcome(host_semset_get_all(id, &list, &code), code);
	if (error)
		return error;
	memcpy(out, list.ptr, (list.len < count ? list.len : count) * sizeof *out);
	ipc_list_u16_free(&list);
	return 0;
}

int ipc_semset_set_all(int id, const uint16_t *values, unsigned count)
{
	ipc_list_u16_t list = { (uint16_t *)(uintptr_t)values, count };
	host_error_code_t code;
	return ipc_outcome(host_semset_set_all(id, &list, &code), code);
}

int ipc_semset_stat(int id, struct ipc_semset_status *out)
{
	host_semset_status_t status;
	host_error_code_t code;
	int error = ipc_outcome(host_semset_stat(id, &status, &code), code);
	if (error == 0)
		*out = (struct ipc_semset_status){ status.key, status.semaphores, status.operation_time, status.change_time };
	return error;
}

int ipc_semset_remove(int id)
{
	host_error_code_t code;
	return ipc_outcome(host_semset_remove(id, &code), code);
}
