// The answers of a program for images, printed as text at once or as one JSON document at the end.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "image_files.hpp"
#include "json_document.hpp"
#include "result.hpp"

/// How answers are printed.
struct AnswerOptions {
    std::string program;
    std::string model;
    std::vector<std::string> names;  ///< of the classes
    int top = 5;
    bool json = false;
    bool silent = false;  ///< nothing is printed, as another process prints it
};

class Answers {
public:
    explicit Answers(AnswerOptions options)
        : options_{std::move(options)}, document_(json_document::begin(options_.program)) {
        json_document::add_name(document_, "model", options_.model);
        document_["images"] = json_document::Json::array();
    }

    /// Reports what was skipped in folders.
    void skip(const std::vector<SkippedFiles>& skipped) {
        for (const SkippedFiles& folder : skipped) {
            if (options_.silent) continue;
            std::fprintf(stderr, "%s: %s\n", options_.program.c_str(), to_string(folder).c_str());
            json_document::Json entry;
            json_document::add_name(entry, "folder", folder.folder);
            long hidden = 0, folders = 0, others = 0;
            for (const auto& [kind, count] : folder.kinds)
                (kind == "hidden" ? hidden : kind == "link that leads back" ? folders : others) += count;
            entry.update({{"hidden", hidden}, {"others", others}, {"folders", folders}});
            for (const auto& [kind, count] : folder.kinds) entry["kinds"][tenon::programs::to_utf8(kind)] = count;
            document_["skipped"].push_back(std::move(entry));
        }
    }

    /// The answer for a file, from its logits.
    void add(const std::string& file, std::span<const float> logits) {
        if (!std::ranges::all_of(logits, [](float logit) { return std::isfinite(logit); }))
            return fail(file,
                        file + ": the network's results are not finite numbers; its weights or the image are wrong");
        ++answered_;
        if (options_.silent) return;
        const Result result = make_result(file, logits, options_.top);
        if (options_.json)
            document_["images"].push_back(json_of(result, options_.names));
        else
            print_text(result, options_.names, terminal_);
    }

    /// Reports why there is no answer for a file; the others still get theirs.
    void fail(const std::string& file, const std::string& problem) {
        ++failed_;
        if (options_.silent) return;
        std::fprintf(stderr, "%s: %s\n", options_.program.c_str(), problem.c_str());
        json_document::Json entry;
        json_document::add_name(entry, "file", file);
        entry["error"] = tenon::programs::to_utf8(problem);
        document_["images"].push_back(std::move(entry));
    }

    /// Prints the document.
    void finish() const {
        if (options_.silent) return;
        if (options_.json) json_document::print(document_);
    }

    std::size_t answered() const { return answered_; }
    std::size_t failed() const { return failed_; }

private:
    AnswerOptions options_;
    json_document::Json document_;
    Terminal terminal_ = Terminal::of_stdout();
    std::size_t answered_ = 0, failed_ = 0;
};
