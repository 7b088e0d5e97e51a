// The page about a run, report.html: what the programs that train or evaluate write at their end.
#pragma once

#include <string>
#include <utility>

#include <tenon/data.hpp>
#include <tenon/report.hpp>

/// Evaluates a network on a source, unless the report has its predictions, and writes the page. `logits_of(images)` is
/// a model, or a trainer's predict; what the caller knows is in `report`, its classes included.
template <class Net, class LogitsOf, class Source>
void write_report(const std::string& path, tenon::reports::Report report, const tenon::Parameters<Net>& parameters,
                  LogitsOf&& logits_of, Source& source,
                  const tenon::Preprocessing& reading = tenon::preprocessing_of<Net>) {
    if (!report.predictions)
        report.predictions = tenon::reports::predict_all(logits_of, source, static_cast<int>(report.classes.size()));
    report.mistakes = tenon::reports::mistakes(parameters, *report.predictions, source, reading);
    for (const tenon::reports::Fact& fact : tenon::reports::network_facts<Net>()) report.network.push_back(fact);
    tenon::reports::write(report, path);
}
