#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// The section of a page that shows the mistakes a network was most sure of.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/explain/overlay.hpp>
#include <tenon/report/page/html.hpp>
#include <tenon/report/page/mistakes.hpp>
#include <tenon/report/page/page_text.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Writes the section; there is a name for each class.
template <class Once = void>
class MistakesSection {
public:
    MistakesSection(PageText& page, const std::vector<reports::Mistake>& mistakes,
                    const std::vector<std::string>& names)
        : page_{page}, mistakes_{mistakes}, names_{names} {}

    void write() {
        if (mistakes_.empty()) return;
        page_.open("Mistakes it was most sure of");
        const bool has_maps =
            std::ranges::any_of(mistakes_, [](const reports::Mistake& mistake) { return !mistake.map.values.empty(); });
        if (has_maps) {
            std::string gradient;
            const std::vector<Rgb> colors = map_colors();
            for (std::size_t i = 0; i < colors.size(); i += 51) gradient += ", " + css(colors[i]);
            page_.text +=
                "<p class=\"soft\">Beside each image: what spoke for the wrong class (Grad-CAM), from nothing<span "
                "class=\"scale\" style=\"background:linear-gradient(to right" +
                gradient + ")\"></span>to most.</p>\n";
        }
        page_.text += "<div class=\"mistakes\">\n";
        for (const reports::Mistake& mistake : mistakes_) show(mistake);
        page_.text += "</div>\n</section>\n";
    }

private:
    std::string name(int klass) const { return html_text(names_[index(klass)]); }

    static std::string css(const Rgb& color) {
        return "rgb(" + std::to_string(color[0]) + "," + std::to_string(color[1]) + "," + std::to_string(color[2]) +
               ")";
    }

    void show(const reports::Mistake& mistake) {
        const std::string label = name(mistake.prediction.label), predicted = name(mistake.prediction.predicted);
        page_.text += "<div><div class=\"pictures\">";
        if (!mistake.photo.empty()) {
            const Image small = shrunk(mistake.photo, 112);
            const std::string address = image_address(small);
            const std::string pixels = small.width() < 64 ? " pixels" : "";
            page_.text += "<div class=\"picture\"><img class=\"photo" + pixels + "\" alt=\"" + label + "\" src=\"" +
                          address + "\"></div>";
            if (!mistake.map.values.empty())
                page_.text += "<div class=\"picture\"><img class=\"gray" + pixels + "\" alt=\"\" src=\"" + address +
                              "\"><img class=\"heat\" alt=\"what spoke for " + predicted + "\" src=\"" +
                              image_address(heat(mistake.map)) + "\"></div>";
        }
        page_.text += "</div><b>" + predicted + "</b> " + page_percent(mistake.prediction.confidence) +
                      "<br><span class=\"soft\">is " + label + ", image " + std::to_string(mistake.image) +
                      "</span></div>\n";
    }

    /// A map in its colors, of as many pixels as look smooth.
    static Image heat(const explanations::ClassMap& map) {
        constexpr int side = 28;
        const std::vector<Rgb> colors = map_colors();
        const double largest = std::max(0.0, double{std::ranges::max(map.values)});
        Image image(side, side, 3);
        for (int y = 0; y < side; ++y)
            for (int x = 0; x < side; ++x) {
                const double value = map_at(map.values, map.height, map.width, (y + 0.5) / side, (x + 0.5) / side);
                const double share = largest > 0 && std::isfinite(value) ? value / largest : 0;
                const Rgb& color = colors[detail::index(std::lround(255 * std::clamp(share, 0.0, 1.0)))];
                std::ranges::copy(color, image.row(y).begin() + 3 * static_cast<std::ptrdiff_t>(x));
            }
        return image;
    }

    PageText& page_;
    const std::vector<reports::Mistake>& mistakes_;
    const std::vector<std::string>& names_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
