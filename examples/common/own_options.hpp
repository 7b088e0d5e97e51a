// Sentences of the library in a program's own words: it names options by their members, a program by its command
// line's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

/// The sentence with `option` in the place of the library's `member`: `LoadOptions::allow_undefined`,
/// `--allow-undefined`.
inline std::string name_option(std::string sentence, std::string_view member, std::string_view option) {
    for (std::size_t at = 0; (at = sentence.find(member, at)) != std::string::npos; at += option.size())
        sentence.replace(at, member.size(), option);
    return sentence;
}

/// The sentence with the program's options in the place of the library's, where the program has an option of the same
/// name: `LoadOptions::allow_undefined` -> `--allow-undefined`.
inline std::string name_own_options(std::string sentence, const CLI::App& app) {
    constexpr std::string_view end_of_type = "Options::";
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    std::size_t at = 0;
    while ((at = sentence.find(end_of_type, at)) != std::string::npos) {
        const std::size_t name = at + end_of_type.size();
        const std::size_t end = std::min(sentence.find_first_not_of(letters, name), sentence.size());
        std::string option = "--" + sentence.substr(name, end - name);
        std::ranges::replace(option, '_', '-');
        if (app.get_option_no_throw(option) == nullptr) {
            at = name;
            continue;
        }
        const std::size_t begin = sentence.find_last_not_of(letters, at) + 1;  // npos + 1 is the sentence's beginning
        sentence.replace(begin, end - begin, option);
        at = begin + option.size();
    }
    return sentence;
}
