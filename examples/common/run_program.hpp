// How the examples' programs begin and end: the command line, --help, and mistakes of the user.
#pragma once

#include <cstdio>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>

#include <tenon/core/error.hpp>

/// The exit status when something that the user gave is wrong.
inline constexpr int user_error = 2;

/// Reads the command line by `app`, which has the program's name, and returns what run() returns: main's result. Behind
/// --help and --version that is 0; when something is wrong, a sentence on the standard error says what, and it is
/// user_error.
template <class Run>
int run_program(CLI::App& app, int argc, char** argv, const Run& run) {
    const std::string name = app.get_name();
    try {
        try {
            app.parse(argc, argv);
        } catch (const CLI::Success& help_or_version) {
            return app.exit(help_or_version);
        } catch (const CLI::Error& error) {
            throw tenon::Error(std::string(error.what()) + " (" + name + " --help says more)");
        }
        return run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
        return user_error;
    }
}
