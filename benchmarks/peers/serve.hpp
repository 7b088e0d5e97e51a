// A process that measures itself whenever a line on standard input tells it to, and prints lines of JSON.
#pragma once

#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <span>
#include <sstream>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <tenon/core/error.hpp>

namespace tenon_benchmark {

/// The commands of a process: by name, functions of the number after it (0: there is none).
using Commands = std::map<std::string, std::function<nlohmann::json(int)>>;

/// The milliseconds of `count` calls.
template <class F>
nlohmann::json time_calls(int count, const F& f) {
    nlohmann::json times = nlohmann::json::array();
    for (int i = 0; i < count; ++i) {
        const auto start = std::chrono::steady_clock::now();
        f();
        times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    }
    return times;
}

/// Prints what is known from the start, then answers each line until there is none. Throws tenon::Error when a line is
/// not a command.
inline void serve(const nlohmann::json& facts, const Commands& commands) {
    std::cout << facts << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words{line};
        std::string name;
        int count = 0;
        words >> name >> count;
        const auto found = commands.find(name);
        if (found == commands.end() || count < 0) {
            std::string known;
            for (const auto& [command, function] : commands) known += (known.empty() ? "" : ", ") + command;
            throw tenon::Error("\"" + line + "\" is not a command, expected one of " + known);
        }
        std::cout << found->second(count) << std::endl;
    }
}

/// The actions of a program with a network: write what its peers read, and serve.
template <class Options>
struct NetworkProgram {
    const char* name;
    void (*prepare)(const Options&);
    void (*serve)(const Options&);
};

/// Runs the program of the network that the options name: `prepare` when they name a graph to write, else `serve`.
/// Returns main's result.
template <class Options>
int run_network(std::span<const NetworkProgram<Options>> programs, const Options& options, std::string_view program) {
    try {
        for (const NetworkProgram<Options>& one : programs)
            if (one.name == options.network) {
                (options.onnx.empty() ? one.serve : one.prepare)(options);
                return 0;
            }
        throw tenon::Error("no network is named \"" + options.network + "\"");
    } catch (const std::exception& error) {
        std::cerr << program << ": " << error.what() << '\n';
        return 1;
    }
}

}  // namespace tenon_benchmark
