// What becomes of the threads of a team:
//
//     host PLUGIN   loads and unloads a plug-in that computes with threads: none of them may be in its code afterwards
//     host limit    in a process that may not make threads, a team computes on its caller's
#include <atomic>
#include <cstdio>
#include <cstring>

#include <dlfcn.h>
#include <sys/resource.h>
#include <unistd.h>

#include <tenon/backend/cpu/threads/team.hpp>

namespace {

int fail(const char* what) {
    std::fprintf(stderr, "host: %s\n", what);
    return 1;
}

int compute_without_threads() {
    const rlimit one{1, 1};
    if (::setrlimit(RLIMIT_NPROC, &one) != 0) return fail("the limit can't be set");
    constexpr unsigned nobody = 65534;
    if (::geteuid() == 0 && (::setgid(nobody) != 0 || ::setuid(nobody) != 0)) return fail("root can't be left");
    tenon::cpu::Team team{4};
    std::atomic<int> calls{0};
    for (int step = 0; step < 100; ++step) team.run([&](int, int) { ++calls; });
    std::printf("%d calls on %d threads\n", calls.load(), team.size());
    return calls == 100 * team.size() ? 0 : fail("not every worker was run");
}

int load_and_unload(const char* file) {
    for (int round = 0; round < 400; ++round) {
        void* const plugin = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);
        if (plugin == nullptr) return fail(::dlerror());
        int (*run)(int) = nullptr;
        void* const found = ::dlsym(plugin, "run_plugin");
        std::memcpy(&run, &found, sizeof run);
        const int threads = 2 + round % 7;
        if (run(threads) != 20 * threads) return fail("not every worker was run");
        ::dlclose(plugin);
        if (::dlopen(file, RTLD_NOW | RTLD_NOLOAD) != nullptr) return fail("the plug-in was not unloaded");
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return fail("expected a plug-in, or the word limit");
    return std::strcmp(argv[1], "limit") == 0 ? compute_without_threads() : load_and_unload(argv[1]);
}
