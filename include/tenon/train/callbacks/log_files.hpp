#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Callbacks that write what a trainer reports to files: a table of epochs, or one JSON object per line.

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenon/core/error.hpp>
#include <tenon/io/atomic_file.hpp>
#include <tenon/train/callbacks/callback.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The shortest text that reads back as the same number, whatever the locale; `undefined` for infinity and NaN.
inline std::string log_number(double value, const char* undefined) {
    if (!std::isfinite(value)) return undefined;
    // Whole numbers in full: the shortest text of a million would be 1e+06.
    if (value == std::rint(value) && std::abs(value) < 0x1p53) return std::to_string(std::llround(value));
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    return {text.data(), end};
}

/// Calls f(name, number) for each figure of an epoch.
template <class F>
void for_each_figure(const EpochReport& e, const F& f) {
    f("epoch", static_cast<double>(e.epoch));
    f("step", static_cast<double>(e.step));
    f("images", static_cast<double>(e.images));
    f("loss", e.loss);
    f("accuracy", e.accuracy);
    f("validation_loss", e.validation_loss);
    f("validation_accuracy", e.validation_accuracy);
    f("validation_top5", e.validation_top5);
    f("learning_rate", e.learning_rate);
    f("seconds", e.seconds);
    f("images_per_second", e.seconds > 0 ? static_cast<double>(e.images) / e.seconds : not_measured);
}

/// A text file that is written line by line and is complete after each line.
class LineFile {
public:
    explicit LineFile(std::string path) : path_{std::move(path)} {}

    /// Begins the file with the given lines. Law: a process that is killed here leaves the earlier file or the new one,
    /// not a part of it (test: tests/train/callbacks_test.cpp).
    void begin(const std::vector<std::string>& lines) {
        std::string text;
        for (const std::string& line : lines) text += line + '\n';
        stream_ = {};
        std::error_code absent;
        if (std::filesystem::is_regular_file(path_, absent)) {
            write_file_atomically(path_, text);
            stream_.open(path_, std::ios::app);
        } else {
            stream_.open(path_, std::ios::trunc);  // a new file, a pipe or a device
            stream_ << text;
        }
        check();
    }
    /// Appends a line. Throws tenon::Error when it can't be written.
    void add(const std::string& line) {
        stream_ << line << '\n';
        check();
    }
    /// Closes the file. Throws tenon::Error when that fails: some file systems report a full disk only then.
    void close() {
        if (!stream_.is_open()) return;
        stream_.close();
        check();
    }
    const std::string& path() const { return path_; }

private:
    void check() {
        if (!stream_ || (stream_.is_open() && !stream_.flush())) throw Error(path_ + ": cannot write the log");
    }

    std::string path_;
    std::ofstream stream_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// Writes a CSV file with one row per epoch of the trainer; what was not measured is empty. When a fit is resumed, the
/// rows of earlier epochs are written again, so none is missing or duplicated. Throws tenon::Error when it can't be
/// written.
class CsvLog final : public Callback {
public:
    explicit CsvLog(std::string path) : file_{std::move(path)} {}
    bool is_output() const override { return true; }

    void on_begin(const FitPlan&, TrainerControl& trainer) override {
        std::string header;
        detail::for_each_figure(EpochReport{}, [&](const char* name, double) { header += "," + std::string(name); });
        std::vector<std::string> lines{header.substr(1)};
        for (const EpochReport& report : trainer.history()) lines.push_back(row(report));
        file_.begin(lines);
    }
    void on_epoch(const EpochReport& report, TrainerControl&) override { file_.add(row(report)); }
    void on_end(TrainerControl&) override { file_.close(); }

private:
    static std::string row(const EpochReport& report) {
        std::string text;
        detail::for_each_figure(report,
                                [&](const char*, double number) { text += "," + detail::log_number(number, ""); });
        return text.substr(1);
    }

    detail::LineFile file_;
};

/// Writes one JSON object per line: `{"event":"epoch",...}` for each epoch and, if asked for, `{"event":"step",...}`
/// for every n-th iteration; what was not measured is null. When a fit is resumed, the lines up to the iteration it
/// resumes from are kept, of epochs those that it won't end again. Throws tenon::Error when it can't be written.
class JsonlLog final : public Callback {
public:
    explicit JsonlLog(std::string path, long every_steps = 0) : file_{std::move(path)}, every_steps_{every_steps} {}
    bool is_output() const override { return true; }

    void on_begin(const FitPlan& plan, TrainerControl&) override {
        std::vector<std::string> lines;
        if (plan.step > 0) {
            std::ifstream old{file_.path()};
            for (std::string line; std::getline(old, line) && line.ends_with('}') && step_of(line) <= plan.step;)
                // A checkpoint of an epoch's last iteration was perhaps written before the epoch was over.
                if (!line.starts_with(epoch_begin) || number_after(line, R"("epoch":)") < plan.first_epoch)
                    lines.push_back(line);
        }
        file_.begin(lines);
    }
    void on_step(const StepReport& report, TrainerControl&) override {
        if (every_steps_ <= 0 || report.step % every_steps_ != 0) return;
        std::string text = R"({"event":"step")";
        const auto add = [&](const char* name, double number) { append(text, name, number); };
        add("step", static_cast<double>(report.step));
        add("epoch", static_cast<double>(report.epoch));
        add("batch", static_cast<double>(report.batch));
        add("loss", report.loss);
        add("accuracy", static_cast<double>(report.correct) / static_cast<double>(report.images));
        add("learning_rate", report.learning_rate);
        add("gradient_norm", report.gradient_norm);
        if (std::isfinite(report.loss_scale)) {
            add("loss_scale", report.loss_scale);
            add("skipped", report.skipped ? 1 : 0);
        }
        add("seconds", report.seconds);
        file_.add(text + "}");
    }
    void on_epoch(const EpochReport& report, TrainerControl&) override {
        std::string text{epoch_begin};
        detail::for_each_figure(report, [&](const char* name, double number) { append(text, name, number); });
        file_.add(text + "}");
    }
    void on_end(TrainerControl&) override { file_.close(); }

private:
    static void append(std::string& text, const char* name, double number) {
        text += ",\"" + std::string(name) + "\":" + detail::log_number(number, "null");
    }
    static long step_of(const std::string& line) { return number_after(line, R"("step":)"); }
    /// The number after a key; 0 if a line has none.
    static long number_after(const std::string& line, std::string_view key) {
        const std::size_t at = line.find(key, line.find(','));
        return at == std::string::npos ? 0 : std::strtol(line.c_str() + at + key.size(), nullptr, 10);
    }
    static constexpr std::string_view epoch_begin = R"({"event":"epoch")";

    detail::LineFile file_;
    long every_steps_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
