// A team of threads that works on one step at a time: the caller's, and helpers from oneTBB.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include <tbb/task_arena.h>

#include <tenon/backend/cpu/job_board.hpp>
#include <tenon/backend/cpu/task_shares.hpp>
#include <tenon/core/error.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// A half-open range of indices.
struct Range {
    int begin = 0, end = 0;
    bool empty() const { return begin >= end; }
    int size() const { return end - begin; }
    bool operator==(const Range&) const = default;
};

/// The share of `rank` among `size` in [0, count): contiguous, the larger shares first.
inline Range share(int count, int rank, int size) {
    const int base = count / size, extra = count % size;
    const int begin = rank * base + std::min(rank, extra);
    return {begin, begin + base + (rank < extra ? 1 : 0)};
}

/// Items that are dealt to the ranks of a step in contiguous parts.
struct Items {
    int count = 0, parts = 1;
};

/// Tasks that a rank's part of a step is cut into, where it can be: who helps a slower rank takes one at a time.
inline constexpr int tasks_per_part = 8;

/// A fixed number of ranks that run the same function, each on its share, of which others may take over tasks. What is
/// computed does not depend on the number of ranks nor on who computes it. Threads are oneTBB's; they stay for a moment
/// behind a step, as waking one takes longer than a small network's step.
///
/// A crew is a team of one thread, the caller's, with places for volunteers: threads that have nothing else to do and
/// join between two steps.
///
/// Law: a step is done when run() returns, however many threads there really are (test: tests/backend/team_test.cpp).
class Team {
public:
    /// `threads` of 0 means one per core this process may use. Throws tenon::Error for a negative number.
    explicit Team(int threads) : Team{checked(threads), true} {}

    ~Team() {
        if (board_) board_->close();
    }
    Team(Team&&) = default;

    /// A crew of at most `most_ranks` threads.
    static Team crew(int most_ranks) {
        Team team{checked(most_ranks), false};
        return team;
    }

    /// The ranks of the next step; of a crew, one and those that volunteers may take.
    int size() const { return arena_ ? most_ranks_ : std::min(most_ranks_, 1 + board_->volunteers()); }

    /// Calls f(rank, size) once for each rank, at the same time where threads are free, and returns when all have
    /// returned. From one thread at a time.
    template <class F>
    void run(const F& f) const {
        const int ranks = size();
        if (ranks == 1) return f(0, 1);
        board_->run([](const void* context, int rank, int size) { (*static_cast<const F*>(context))(rank, size); }, &f,
                    ranks,
                    [this](int home) {
                        if (arena_) arena_->enqueue([board = board_, home] { board->help(home); });
                    });
    }

    /// Works on the steps of a crew, from another thread than its own, while `is_wanted()`.
    template <class Wanted>
    void volunteer(const Wanted& is_wanted) const {
        board_->volunteer(is_wanted);
    }

    /// Deals `count_of(part)` tasks for each of `parts` parts, at most one a rank, for the next step to take.
    template <class Count>
    void deal(int parts, const Count& count_of) const {
        shares_->deal([&](int part) { return part < parts ? count_of(part) : 0; });
    }

    /// The next of the dealt tasks for `rank`; false when all are taken.
    Task take(int rank) const { return shares_->take(rank); }

    /// Calls f(i) once for each i in [0, count), in contiguous shares of at most `tasks_per_part` tasks.
    template <class F>
    void for_each(int count, const F& f) const {
        const auto tasks_of = [&](const Range& mine) { return std::min(mine.size(), tasks_per_part); };
        const int parts = size();
        deal(parts, [&](int part) { return tasks_of(share(count, part, parts)); });
        run([&](int rank, int) {
            while (const Task task = take(rank)) {
                const Range all = share(count, task.share, parts);
                const Range mine = share(all.size(), task.index, tasks_of(all));
                for (int i = mine.begin; i < mine.end; ++i) f(all.begin + i);
            }
        });
    }

    /// Deals [0, count) to the ranks of the next step, one task each. Returns what take_item() needs to know.
    Items deal_items(int count) const {
        const Items items{count, size()};
        deal(items.parts, [&](int part) { return share(count, part, items.parts).size(); });
        return items;
    }

    /// The next of the dealt items for `rank`; -1 when all are taken.
    int take_item(const Items& items, int rank) const {
        const Task task = take(rank);
        return task ? share(items.count, task.share, items.parts).begin + task.index : -1;
    }

private:
    Team(int ranks, bool has_helpers)
        : board_{std::make_shared<JobBoard>(ranks)}, shares_{std::make_unique<TaskShares>(ranks)}, most_ranks_{ranks} {
        if (has_helpers) arena_.emplace(ranks);
    }

    static int checked(int threads) {
        if (threads < 0)
            throw Error("a model cannot run on " + std::to_string(threads) +
                        " threads; give 1 or more, or 0 for all cores");
        return threads > 0 ? threads : std::max(1, tbb::this_task_arena::max_concurrency());
    }

    mutable std::optional<tbb::task_arena> arena_;  // of the helpers; a crew has none
    std::shared_ptr<JobBoard> board_;               // helpers may outlive the team for a moment
    std::unique_ptr<TaskShares> shares_;
    int most_ranks_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
