// Reports on networks and runs: summaries, graphs, profiles, ONNX files, plots, explanations.
#pragma once

#include <tenon/core/begin_door.hpp>

// IWYU pragma: begin_exports
#include <tenon/explain/embedding.hpp>
#include <tenon/explain/explain.hpp>
#include <tenon/explain/overlay.hpp>
#include <tenon/explain/tsne.hpp>
#include <tenon/report/class_report.hpp>
#include <tenon/report/dot.hpp>
#include <tenon/report/onnx.hpp>
#include <tenon/report/onnx_int8.hpp>
#include <tenon/report/page/report.hpp>
#include <tenon/report/profile.hpp>
#include <tenon/report/rate_plot.hpp>
#include <tenon/report/scatter_plot.hpp>
#include <tenon/report/summary.hpp>
#include <tenon/report/trace/iteration.hpp>
#include <tenon/report/trace/trace_files.hpp>
#include <tenon/report/training_plots.hpp>
// IWYU pragma: end_exports

#include <tenon/core/end_door.hpp>
