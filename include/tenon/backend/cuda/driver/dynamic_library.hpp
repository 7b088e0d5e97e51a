#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// A library that is searched for when the program runs, so that programs work without it where it is not installed.

#include <initializer_list>
#include <string>

#include <dlfcn.h>

#include <tenon/core/error.hpp>

namespace tenon::cuda {
inline namespace TENON_ISA_NAMESPACE {

/// A loaded library. It stays loaded to the end of the process: CUDA's libraries have threads and exit handlers of
/// their own, which crash when they are unloaded, and loading them takes up to a second.
class DynamicLibrary {
public:
    /// Loads the first of the file names that the system's loader finds (in LD_LIBRARY_PATH and its other places).
    /// Throws tenon::Error, quoting the loader on the last name, if it finds none.
    explicit DynamicLibrary(std::initializer_list<const char*> names) {
        std::string why;
        for (const char* name : names) {
            handle_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
            if (handle_) return;
            why = dlerror();
        }
        throw Error("a library could not be loaded: " + why);
    }

    /// A function of the library, as the pointer type `Function`. Throws tenon::Error when the library lacks it.
    template <class Function>
    Function* function(const char* name) const {
        void* const address = dlsym(handle_, name);
        if (!address) throw Error(std::string("a loaded library lacks the function ") + name);
        return reinterpret_cast<Function*>(address);
    }

    /// The file that a function of the library is in.
    static std::string file_of(const void* function) {
        Dl_info info{};
        return dladdr(function, &info) != 0 && info.dli_fname ? info.dli_fname : "unknown";
    }

private:
    void* handle_ = nullptr;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
