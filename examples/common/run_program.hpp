// The beginning and end of the examples' programs: the command line, --help, and errors of the user.
#pragma once

#include <cstdio>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>

#include <tenon/core/error.hpp>

/// The exit status when something that the user gave is wrong.
inline constexpr int user_error = 2;

/// Describes a program's command line by describe(app, options), reads it, and returns what run(options) returns:
/// main's result. After --help and --version that is 0; when something is wrong, a sentence on the standard error says
/// what, and it is user_error.
template <class Options, class Describe, class Run>
int run_program(const char* name, int argc, char** argv, const Describe& describe, const Run& run) {
    try {
        Options options;
        CLI::App app("", name);
        describe(app, options);
        try {
            app.parse(argc, argv);
        } catch (const CLI::Success& help_or_version) {
            return app.exit(help_or_version);
        } catch (const CLI::Error& error) {
            throw tenon::Error(std::string(error.what()) + " (" + name + " --help says more)");
        }
        return run(options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", name, error.what());
        return user_error;
    }
}
