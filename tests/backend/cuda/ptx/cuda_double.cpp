// A library in the place of CUDA's driver, for libraries_test.cu: it says which devices the process has used.

namespace {

bool is_used[] = {true, true};

}  // namespace

extern "C" {

void double_set_used(int device, bool used) { is_used[device] = used; }

int cuDevicePrimaryCtxGetState(int device, unsigned* flags, int* active) {
    *flags = 0;
    *active = is_used[device];
    return 0;
}

}  // extern "C"
