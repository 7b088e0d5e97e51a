// Takes the place of libcuda.so.1 in tests: one device, whose memory is the host's.
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace {
thread_local void* current = nullptr;
int context = 0;
}  // namespace

extern "C" {

int cuInit(unsigned) { return 0; }
int cuDeviceGet(int* device, int ordinal) { return ordinal == 0 ? (*device = 0) : 101; }
int cuDevicePrimaryCtxRetain(void** found, int) {
    *found = &context;
    return 0;
}
int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
int cuCtxSetCurrent(void* chosen) {
    current = chosen;
    return 0;
}
int cuCtxGetCurrent(void** found) {
    *found = current;
    return 0;
}
int cuMemAlloc_v2(unsigned long long* memory, std::size_t bytes) {
    *memory = reinterpret_cast<std::size_t>(std::malloc(bytes));
    return 0;
}
int cuMemFree_v2(unsigned long long memory) {
    std::free(reinterpret_cast<void*>(static_cast<std::size_t>(memory)));
    return 0;
}
int cuMemcpyHtoDAsync_v2(unsigned long long to, const void* from, std::size_t bytes, void*) {
    std::memcpy(reinterpret_cast<void*>(static_cast<std::size_t>(to)), from, bytes);
    return 0;
}
int cuMemcpyDtoHAsync_v2(void* to, unsigned long long from, std::size_t bytes, void*) {
    std::memcpy(to, reinterpret_cast<void*>(static_cast<std::size_t>(from)), bytes);
    return 0;
}
int cuStreamCreate(void** stream, unsigned) {
    *stream = &context;
    return 0;
}
int cuStreamDestroy_v2(void*) { return 0; }
int cuStreamSynchronize(void*) { return 0; }

}  // extern "C"
