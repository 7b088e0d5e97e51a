// The main function of the tests on a device: exit status 77 where there is none, or 1 under TENON_REQUIRE_GPU=1.
#define DOCTEST_CONFIG_IMPLEMENT
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <cuda_runtime_api.h>
#include <doctest/doctest.h>

int main(int argc, char** argv) {
    int devices = 0;
    const cudaError_t status = cudaGetDeviceCount(&devices);
    if (status == cudaSuccess && devices > 0) return doctest::Context(argc, argv).run();
    std::printf("SKIPPED: there is no device: %s\n",
                status == cudaSuccess ? "the driver lists none" : cudaGetErrorString(status));
    const char* const required = std::getenv("TENON_REQUIRE_GPU");
    return required && std::string_view(required) == "1" ? 1 : 77;
}
