// The callbacks, without a network: a trainer that only plays reports.
#include <csignal>
#include <filesystem>
#include <sstream>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tenon/train/callbacks/best_weights.hpp>
#include <tenon/train/callbacks/log_files.hpp>
#include <tenon/train/callbacks/periodic_checkpoint.hpp>
#include <tenon/train/callbacks/progress_bar.hpp>
#include <tenon/train/callbacks/stop_on_interrupt.hpp>

#include "../support.hpp"

namespace {
using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;
using tenon_test::read_file;
using tenon_test::TemporaryFolder;

/// Remembers what callbacks asked for.
struct Stage : TrainerControl {
    History epochs;
    std::string stopped, interrupted, saved;
    int checkpoints = 0, weights = 0, kept_epoch = -1, returned_to = -1;

    void stop(const std::string& reason) override { stopped = reason; }
    void interrupt(const std::string& reason) override { interrupted = reason; }
    WeightsInfo info;
    void save_weights(const std::string& path, const WeightsInfo& said) override {
        saved = path;
        info = said;
        ++weights;
    }
    void save_checkpoint(const std::string& path) override {
        saved = path;
        ++checkpoints;
    }
    void keep_weights() override { kept_epoch = static_cast<int>(epochs.back().epoch); }
    void return_to_kept_weights() override { returned_to = kept_epoch; }
    const History& history() const override { return epochs; }

    void play(Callback& callback, double accuracy, double loss = 1) {
        EpochReport report;
        report.epoch = static_cast<long>(epochs.size());
        report.step = 10 * (report.epoch + 1);
        report.images = 100;
        report.loss = 0.5;
        report.accuracy = 0.25;
        report.learning_rate = 0.1;
        report.seconds = 4;
        report.validation_accuracy = accuracy;
        report.validation_loss = loss;
        epochs.push_back(report);
        callback.on_epoch(report, *this);
    }
};

TEST_CASE("the best weights are saved, and only those") {
    Stage stage;
    BestWeights best{"best.safetensors"};
    best.on_begin({}, stage);
    const std::vector<double> accuracies{0.5, 0.4, 0.6, 0.6, detail::not_measured, 0.61};
    const std::vector<int> saves{1, 1, 2, 2, 2, 3};
    for (std::size_t i = 0; i < accuracies.size(); ++i) {
        stage.play(best, accuracies[i]);
        CHECK(stage.weights == saves[i]);
    }
    CHECK(stage.saved == "best.safetensors");

    // A resumed fit knows the best of the epochs before.
    BestWeights again{"best.safetensors"};
    again.on_begin({}, stage);
    stage.play(again, 0.605);
    CHECK(stage.weights == 3);
    stage.play(again, 0.62);
    CHECK(stage.weights == 4);

    Stage by_loss;
    BestWeights smallest{"x", Monitor::validation_loss};
    smallest.on_begin({}, by_loss);
    by_loss.play(smallest, 0.5, 2.0);
    by_loss.play(smallest, 0.6, 2.5);
    by_loss.play(smallest, 0.4, 1.5);
    CHECK(by_loss.weights == 2);
}

TEST_CASE("the best weights say their classes, and too few names are refused before the first epoch") {
    Stage stage;
    BestWeights best{"best.safetensors", Monitor::validation_accuracy, {.network = "net", .classes = {"a", "b"}}};
    CHECK(contains(error_of([&] { best.on_begin({.classes = 3}, stage); }),
                   "best.safetensors: expected 3 names of classes, one for each result of the network, found 2"));
    best.on_begin({.classes = 2}, stage);
    stage.play(best, 0.5);
    CHECK(stage.info.network == "net");
    CHECK(stage.info.classes == std::vector<std::string>{"a", "b"});
}

TEST_CASE("an early stop waits for its patience and goes back to the best weights") {
    Stage stage;
    EarlyStop stop{{.patience = 2, .min_gain = 0.01}};
    stop.on_begin({}, stage);
    for (const double accuracy : {0.5, 0.6, 0.605, 0.62}) stage.play(stop, accuracy);
    CHECK(stage.stopped.empty());
    CHECK(stage.kept_epoch == 3);
    stage.play(stop, 0.625);
    CHECK(stage.stopped.empty());
    stage.play(stop, 0.1);
    CHECK(contains(stage.stopped, "the last 2 epochs were not better"));
    stop.on_end(stage);
    CHECK(stage.returned_to == 3);
    CHECK(contains(error_of([] { EarlyStop{{.patience = 0}}; }), "patience of 1 or more"));

    Stage other;
    EarlyStop without{{.patience = 1, .return_to_best = false}};
    without.on_begin({}, other);
    other.play(without, 0.5);
    without.on_end(other);
    CHECK(other.kept_epoch == -1);
    CHECK(other.returned_to == -1);
}

StepReport step_report(long step) {
    StepReport report;
    report.step = step;
    report.epoch = 1;
    report.batch = step % 10;
    report.batches = 10;
    report.images = 8;
    report.loss = 0.125;
    report.correct = 6;
    report.learning_rate = 0.1;
    report.seconds = static_cast<double>(step);
    report.epoch_seconds = 2;
    report.epoch_images = 80;
    report.epoch_loss = 0.25;
    report.epoch_accuracy = 0.75;
    report.progress = 0.5;
    return report;
}

TEST_CASE("checkpoints are saved when they are due") {
    Stage stage;
    PeriodicCheckpoint steps{"run", {.steps = 3, .epochs = 2}};
    steps.on_begin({}, stage);
    for (long step = 1; step <= 7; ++step) steps.on_step(step_report(step), stage);
    CHECK(stage.checkpoints == 2);
    stage.play(steps, 0.5);
    CHECK(stage.checkpoints == 2);
    stage.play(steps, 0.5);
    CHECK(stage.checkpoints == 3);
    CHECK(stage.saved == "run");

    PeriodicCheckpoint time{"run", {.epochs = 0, .seconds = 1e-9}};
    time.on_begin({}, stage);
    time.on_step(step_report(1), stage);
    CHECK(stage.checkpoints == 4);
    CHECK(contains(error_of([] { PeriodicCheckpoint{"run", {.steps = -1}}; }), "can't be negative"));
}

TEST_CASE("the table of epochs has a row each, and a resumed fit neither loses nor doubles any") {
    const TemporaryFolder folder;
    Stage stage;
    CsvLog log{folder.file("log.csv")};
    log.on_begin({}, stage);
    stage.play(log, 0.5, 1.5);
    stage.play(log, detail::not_measured, detail::not_measured);
    const std::string header =
        "epoch,step,images,loss,accuracy,validation_loss,validation_accuracy,validation_top5,learning_rate,seconds,"
        "images_per_second\n";
    const std::string rows = "0,10,100,0.5,0.25,1.5,0.5,,0.1,4,25\n1,20,100,0.5,0.25,,,,0.1,4,25\n";
    CHECK(read_file(folder.file("log.csv")) == header + rows);

    stage.epochs.pop_back();  // the checkpoint was of epoch 1
    CsvLog again{folder.file("log.csv")};
    again.on_begin({}, stage);
    stage.play(again, detail::not_measured, detail::not_measured);
    CHECK(read_file(folder.file("log.csv")) == header + rows);
    CHECK(contains(error_of([&] { CsvLog{folder.file("absent/log.csv")}.on_begin({}, stage); }),
                   "absent/log.csv: cannot write the log"));
}

TEST_CASE("the log of events has steps and epochs, and a resumed fit keeps those before it") {
    const TemporaryFolder folder;
    const std::string path = folder.file("log.jsonl");
    Stage stage;
    JsonlLog log{path, 4};
    log.on_begin({}, stage);
    for (long step = 1; step <= 10; ++step) log.on_step(step_report(step), stage);
    stage.play(log, 0.5, 1.5);
    const std::string text = read_file(path);
    const std::string four =
        R"({"event":"step","step":4,"epoch":1,"batch":4,"loss":0.125,"accuracy":0.75,"learning_rate":0.1,)"
        R"("gradient_norm":null,"seconds":4})"
        "\n";
    CHECK(text.starts_with(four));
    CHECK(contains(text, "\n{\"event\":\"step\",\"step\":8,"));
    CHECK(text.ends_with(R"({"event":"epoch","epoch":0,"step":10,"images":100,"loss":0.5,"accuracy":0.25,)"
                         R"("validation_loss":1.5,"validation_accuracy":0.5,"validation_top5":null,)"
                         R"("learning_rate":0.1,"seconds":4,"images_per_second":25})"
                         "\n"));

    tenon_test::write_file(path, text + R"({"event":"step","step":1)");  // a line that a kill cut off
    const std::string before = read_file(path);
    std::filesystem::create_hard_link(path, folder.file("before"));
    JsonlLog resumed{path, 4};
    FitPlan plan;
    plan.step = 7;
    resumed.on_begin(plan, stage);
    CHECK(read_file(path) == four);
    // The earlier file is not cut but replaced: a process that is killed meanwhile loses no line.
    CHECK(read_file(folder.file("before")) == before);
    // Killed after the epoch's line, before a checkpoint that holds the epoch's end: it ends once more.
    tenon_test::write_file(path, text);
    JsonlLog ending{path, 4};
    plan.step = 10;
    ending.on_begin(plan, stage);
    CHECK(read_file(path) == text.substr(0, text.find("{\"event\":\"epoch\"")));
    stage.epochs.clear();
    stage.play(ending, 0.5, 1.5);
    CHECK(read_file(path) == text);
    plan.step = 1'000'000;
    plan.first_epoch = 1;
    JsonlLog later{path, 4};
    later.on_begin(plan, stage);
    later.on_step(step_report(1'000'000), stage);
    CHECK(read_file(path).starts_with(text));
    CHECK(contains(read_file(path), "\"step\":1000000,"));

    JsonlLog fresh{path};
    fresh.on_begin({}, stage);
    CHECK(read_file(path).empty());
    JsonlLog scaled{path, 1};
    StepReport report = step_report(1);
    report.loss_scale = 1024;
    report.skipped = true;
    scaled.on_begin({}, stage);
    scaled.on_step(report, stage);
    CHECK(contains(read_file(path), R"("gradient_norm":null,"loss_scale":1024,"skipped":1,"seconds":1})"));
}

TEST_CASE("progress is a bar on a terminal and lines elsewhere") {
    Stage stage;
    FitPlan plan;
    plan.epochs = 3;
    std::ostringstream drawn, plain;
    ProgressBar bar{drawn, ProgressStyle::bar}, lines{plain};
    bar.on_begin(plan, stage);
    lines.on_begin(plan, stage);
    for (long step = 11; step <= 15; ++step) {
        bar.on_step(step_report(step), stage);
        lines.on_step(step_report(step), stage);
    }
    CHECK(contains(drawn.str(),
                   "\repoch 2/3 [===========>............]  50 %, loss 0.2500, accuracy 75.00 %, 40 images/s, "
                   "0:14 left\x1b[K"));
    CHECK_FALSE(contains(drawn.str(), "\n"));
    CHECK(plain.str().empty());
    lines.on_step(step_report(3723 + 13), stage);
    CHECK(plain.str() == "epoch 2/3  70 %, loss 0.2500, accuracy 75.00 %, 40 images/s, 1:02:16 left\n");
    plain.str("");
    stage.play(lines, 0.5, 1.5);
    stage.play(lines, detail::not_measured);
    CHECK(plain.str() ==
          "epoch 1/3, loss 0.5000, accuracy 25.00 %, validation loss 1.5000, accuracy 50.00 %, 25 images/s, 0:04\n"
          "epoch 2/3, loss 0.5000, accuracy 25.00 %, 25 images/s, 0:04\n");
    stage.play(bar, 0.5, 1.5);
    CHECK(drawn.str().ends_with("25 images/s, 0:04\x1b[K\n"));
}

TEST_CASE("a line on a terminal loses its parts in a fixed order") {
    using tenon::detail::TerminalLine;
    const auto shortened = [](std::size_t limit) {
        TerminalLine line;
        line.add("epoch 1");
        const std::size_t loss = line.add(", loss 0.5"), rate = line.add(", 40 images/s");
        line.then_shorten(rate);
        line.then_shorten(loss, ", 0.5");
        line.then_shorten(loss);
        line.shorten(limit);
        return line.text(limit);
    };
    CHECK(shortened(30) == "epoch 1, loss 0.5, 40 images/s");
    CHECK(shortened(29) == "epoch 1, loss 0.5");
    CHECK(shortened(17) == "epoch 1, loss 0.5");
    CHECK(shortened(16) == "epoch 1, 0.5");
    CHECK(shortened(11) == "epoch 1");
    CHECK(shortened(5) == "epoch");
    CHECK(shortened(0).empty());
    CHECK(tenon::detail::line_limit(80) == 79);
    CHECK(tenon::detail::line_limit(1) == 1);
    // What is no terminal has no width.
    CHECK(detail::terminal_columns(-1) == std::numeric_limits<std::size_t>::max());
}

TEST_CASE("a fit that ends early leaves no half line of a bar") {
    Stage stage;
    std::ostringstream drawn;
    ProgressBar bar{drawn, ProgressStyle::bar};
    bar.on_begin({}, stage);
    bar.on_leave();
    CHECK(drawn.str().empty());
    bar.on_step(step_report(11), stage);
    bar.on_leave();
    CHECK(drawn.str().ends_with("left\x1b[K\n"));
    stage.play(bar, 0.5);
    const std::string before = drawn.str();
    bar.on_leave();
    CHECK(drawn.str() == before);
}

/// Runs `action` in a child process; its status. No other thread's work is needed there.
template <class Action>
int in_child(const Action& action) {
    const pid_t child = ::fork();
    if (child == 0) {
        for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_DFL);  // the test program has its own
        action();
        ::_exit(0);
    }
    REQUIRE(child > 0);
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

TEST_CASE("the second signal ends the process at once") {
    const auto killed_by = [](int signal, int status) { return WIFSIGNALED(status) && WTERMSIG(status) == signal; };
    for (const int first : {SIGINT, SIGTERM})
        for (const int second : {SIGINT, SIGTERM}) {
            CHECK(killed_by(second, in_child([&] {
                                Stage stage;
                                StopOnInterrupt stop{"run"};
                                stop.on_begin({}, stage);
                                ::raise(first);
                                stop.on_step(step_report(1), stage);
                                if (stage.interrupted.empty()) ::_exit(1);
                                ::raise(second);
                                ::_exit(2);
                            })));
            // Both before the fit looks.
            CHECK(killed_by(second, in_child([&] {
                                Stage stage;
                                StopOnInterrupt stop{"run"};
                                stop.on_begin({}, stage);
                                ::raise(first);
                                ::raise(second);
                                ::_exit(2);
                            })));
        }
    // One signal alone ends nothing; after a fit it ends the process as ever, and so does one that no fit obeyed.
    CHECK(in_child([] {
              Stage stage;
              StopOnInterrupt stop{"run"};
              stop.on_begin({}, stage);
              ::raise(SIGINT);
              ::_exit(0);
          }) == 0);
    CHECK(killed_by(SIGINT, in_child([] {
                        Stage stage;
                        StopOnInterrupt stop{"run"};
                        stop.on_begin({}, stage);
                        stop.on_leave();
                        ::raise(SIGINT);
                    })));
    CHECK(killed_by(SIGTERM, in_child([] {
                        Stage stage;
                        StopOnInterrupt stop{"run"};
                        stop.on_begin({}, stage);
                        ::raise(SIGTERM);
                        stop.on_leave();
                    })));
}

TEST_CASE("an ignored signal stays ignored, and fits at the same time share the handlers") {
    CHECK(in_child([] {
              std::signal(SIGINT, SIG_IGN);
              Stage stage;
              StopOnInterrupt stop{"run"};
              stop.on_begin({}, stage);
              ::raise(SIGINT);
              ::raise(SIGINT);
              stop.on_step(step_report(1), stage);
              if (!stage.interrupted.empty()) ::_exit(1);
              ::raise(SIGTERM);
              stop.on_step(step_report(2), stage);
              ::raise(SIGINT);
              ::_exit(stage.interrupted == "SIGTERM" ? 0 : 2);
          }) == 0);
    CHECK(in_child([] {
              Stage outer_stage, inner_stage;
              StopOnInterrupt outer{"run"};
              std::ostringstream said;
              outer.on_begin({}, outer_stage);
              {
                  StopOnInterrupt inner{"part", "", said};
                  inner.on_begin({}, inner_stage);
                  ::raise(SIGINT);
                  inner.on_step(step_report(3), inner_stage);
                  if (inner_stage.interrupted != "SIGINT") ::_exit(1);
                  inner.on_interrupt(inner_stage);
                  inner.on_leave();
                  if (inner_stage.saved != "part") ::_exit(2);
              }
              if (said.str() !=
                  "stopped by SIGINT after step 3, saved in part; to go on: restore it and fit with the same "
                  "options\n")
                  ::_exit(3);
              outer.on_epoch({}, outer_stage);
              ::_exit(outer_stage.interrupted == "SIGINT" ? 0 : 4);
          }) == 0);
    CHECK(contains(error_of([] { StopOnInterrupt{""}; }), "expected the path of a checkpoint"));
}

}  // namespace
