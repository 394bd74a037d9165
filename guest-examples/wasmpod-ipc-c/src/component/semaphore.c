/* POSIX named semaphores, of components. The program's sem_t has the handle. */
#include "component.h"

static host_sem_borrow_semaphore_t borrow(uint32_t sem)
{
	return (host_sem_borrow_semaphore_t){ (int32_t)sem };
}

int ipc_sem_open(const char *name, size_t length, unsigned flags, unsigned value, uint32_t *out)
{
	ipc_string_t string;
	host_sem_own_semaphore_t handle;
	host_error_code_t code;
	int error = ipc_string(name, length, &string);
	if (error == 0)
		error = ipc_outcome(host_sem_static_semaphore_open(&string, ipc_creation(flags), value, &handle, &code), code);
	if (error == 0)
		*out = (uint32_t)handle.__handle;
	return error;
}

int ipc_sem_close(uint32_t sem)
{
	host_sem_semaphore_drop_own((host_sem_own_semaphore_t){ (int32_t)sem });
	return 0;
}

int ipc_sem_unlink(const char *name, size_t length)
{
	ipc_string_t string;
	host_error_code_t code;
	int error = ipc_string(name, length, &string);
	return error ? error : ipc_outcome(host_sem_unlink(&string, &code), code);
}

int ipc_sem_post(uint32_t sem)
{
	host_error_code_t code;
	return ipc_outcome(host_sem_method_semaphore_post(borrow(sem), &code), code);
}

int ipc_sem_try_wait(uint32_t sem)
{
	host_error_code_t code;
	return ipc_outcome(host_sem_method_semaphore_try_wait(borrow(sem), &code), code);
}

int ipc_sem_wait(uint32_t sem, int64_t timeout_ns)
{
	host_error_code_t code;
	bool worked = timeout_ns < 0 ? host_sem_method_semaphore_wait(borrow(sem), &code)
		: host_sem_method_semaphore_timed_wait(borrow(sem), (uint64_t)timeout_ns, &code);
	return ipc_outcome(worked, code);
}

int ipc_sem_get_value(uint32_t sem, uint32_t *out)
{
	*out = host_sem_method_semaphore_value(borrow(sem));
	return 0;
}

int ipc_sem_is_same(uint32_t sem, uint32_t other, uint32_t *out)
{
	*out = host_sem_method_semaphore_is_same(borrow(sem), borrow(other));
	return 0;
}

/* A component's memory is its own. */
int ipc_sem_map(uint32_t sem, void *address, uint32_t *out)
{
	(void)sem, (void)address, (void)out;
	return ENOTSUP;
}
