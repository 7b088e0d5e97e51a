// The beginning and end of the examples' programs: the command line, --help, and errors of the user.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <tenon/inference.hpp>

#include "own_options.hpp"
#include "program_world.hpp"

/// The exit status when something that the user gave is wrong.
inline constexpr int user_error = 2;

/// Closes the standard output. Throws tenon::Error when some of what was printed is lost: on a full disk a write fails,
/// over a network perhaps only the close. A program that prints nothing may be started with a closed output.
inline void close_output() {
    const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
    const int reason = errno;
    if (!written || (std::fclose(stdout) != 0 && errno != EBADF))
        throw tenon::Error(std::string("cannot write to the standard output: ") +
                           std::strerror(written ? errno : reason));
}

/// Opens the standard streams that the program was started without, so that using them fails as before. Else the next
/// file that is opened, a log say, would get a stream's number, and all that is printed.
inline void occupy_closed_streams() {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(stream, F_GETFD) < 0 && errno == EBADF)
            static_cast<void>(::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY));
}

/// Throws CLI::ValidationError when an option with one value was given an empty one: that is how a shell hands on a
/// variable that isn't set, and `--weights ""` would be as if it weren't there.
inline void refuse_empty_values(const CLI::App& app) {
    for (const CLI::Option* const option : app.get_options())
        if (option->nonpositional() && option->get_items_expected_max() == 1 &&
            std::ranges::find(option->results(), std::string()) != option->results().end())
            throw CLI::ValidationError(option->get_name(), "expected a value, found an empty text");
}

/// Describes a program's command line by describe(app, options), reads it, and returns what run(options) returns:
/// main's result. After --help and --version that is 0; when something is wrong, or some of the output could not be
/// written, a sentence on the standard error says what, and it is user_error. Processes that MPI has started get
/// options.world, and divide their machine's cores; what is wrong in one of them ends all.
template <class Options, class Describe, class Run>
int run_program(const char* name, int argc, char** argv, const Describe& describe, const Run& run) {
    occupy_closed_streams();
    // MPI begins before anything that can fail, and ends after what failed has been reported.
    ProgramWorld processes(argc, argv);
    const tenon::distributed::World world = processes.world();
    try {
        CLI::App app("", name);
        try {
            Options options;
            describe(app, options);
            try {
                app.parse(argc, argv);
                refuse_empty_values(app);
            } catch (const CLI::Success& help_or_version) {
                const int status = app.exit(help_or_version);
                std::cout.flush();
                close_output();
                return status;
            } catch (const CLI::Error& error) {
                // All processes have the same command line, and say this once.
                if (world.rank() == 0) std::fprintf(stderr, "%s: %s (%s --help says more)\n", name, error.what(), name);
                return user_error;
            }
            if constexpr (requires { options.world; }) {
                options.world = world;
                if (options.threads == 0 && processes.mates() > 1)
                    options.threads = std::max(1, tenon::programs::available_threads() / processes.mates());
            }
            const int status = run(options);
            std::cout.flush();
            close_output();
            return status;
        } catch (const std::exception& error) {
            throw tenon::Error(name_own_options(error.what(), app));
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", name, error.what());
        if (world.size() > 1) world.fail(error.what());
        return user_error;
    }
}
