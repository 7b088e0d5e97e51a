#pragma once
// IWYU pragma: private, include <tenon/image.hpp>

// libjpeg-turbo over bytes in memory, with its errors and warnings as texts.

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string_view>

// In this order: jpeglib.h needs size_t and FILE, and the codes in jerror.h depend on jpeglib.h.
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// One run of libjpeg over bytes in memory.
///
/// libjpeg reports an error by a function that must not return, which here means longjmp. A jump must never pass over
/// an object with a destructor. So: only attempt() sets the target of a jump, it runs plain functions without such
/// objects, and all state and memory belong to this session, whose destructor frees libjpeg's part.
class JpegSession {
public:
    JpegSession(std::span<const std::byte> bytes, bool accept_damaged) : accept_damaged_(accept_damaged) {
        decompress_.err = jpeg_std_error(&errors_);
        errors_.error_exit = &on_error;
        errors_.emit_message = &on_message;
        decompress_.client_data = this;
        source_.init_source = [](j_decompress_ptr) {};
        source_.fill_input_buffer = &on_end_of_data;
        source_.skip_input_data = &skip;
        source_.resync_to_restart = &jpeg_resync_to_restart;
        source_.term_source = [](j_decompress_ptr) {};
        source_.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
        source_.bytes_in_buffer = bytes.size();
        progress_.progress_monitor = &check_scans;
    }
    JpegSession(const JpegSession&) = delete;
    JpegSession& operator=(const JpegSession&) = delete;
    ~JpegSession() { jpeg_destroy_decompress(&decompress_); }

    /// Reads the file's header. Returns false on failure; message() then says why.
    bool read_header(bool with_exif) {
        with_exif_ = with_exif;
        return attempt([](JpegSession& session) {
            j_decompress_ptr decompress = &session.decompress_;
            // Clears all fields but err and client_data.
            jpeg_create_decompress(decompress);
            decompress->src = &session.source_;
            decompress->progress = &session.progress_;
            if (session.with_exif_) jpeg_save_markers(decompress, exif_marker, 0xFFFF);
            jpeg_read_header(decompress, TRUE);
            session.has_header_ = true;
        });
    }

    /// Decodes into `height` rows of `width` x `components` samples. Returns false on failure; message() then says why.
    /// When all pixels were decoded but the end of the file is wrong, or damage is accepted and there is some,
    /// warning() says what.
    bool read_pixels(J_COLOR_SPACE color_space, std::uint8_t* pixels, std::size_t row_size) {
        decompress_.out_color_space = color_space;
        pixels_ = pixels;
        row_size_ = row_size;
        const bool done = attempt([](JpegSession& session) {
            j_decompress_ptr decompress = &session.decompress_;
            jpeg_start_decompress(decompress);
            // A file of several scans has been read to its end by now.
            if (session.has_ended_ && !session.has_all_scans()) session.damaged(too_short);
            while (decompress->output_scanline < decompress->output_height) {
                JSAMPROW row = session.pixels_ + decompress->output_scanline * session.row_size_;
                jpeg_read_scanlines(decompress, &row, 1);
            }
            session.has_pixels_ = true;
            jpeg_finish_decompress(decompress);
        });
        if (has_pixels_ && warning_[0] == 0 && (has_ended_ || !done))
            note("all pixels are there, but the JPEG's end is not");
        return has_pixels_;
    }

    int height() const { return static_cast<int>(decompress_.image_height); }
    int width() const { return static_cast<int>(decompress_.image_width); }
    int components() const { return decompress_.num_components; }
    std::string_view message() const { return message_; }
    std::string_view warning() const { return warning_; }

    /// The EXIF and the XMP data that read_header found, valid until the pixels are read; empty when there are none.
    std::span<const std::byte> exif() const { return marker_data({"Exif\0\0", 6}); }
    std::span<const std::byte> xmp() const { return marker_data({"http://ns.adobe.com/xap/1.0/\0", 29}); }

private:
    static constexpr int exif_marker = JPEG_APP0 + 1;
    // Each scan of a progressive file goes over the whole image; a small file can hold thousands of empty ones.
    static constexpr int max_scans = 500;
    static constexpr const char* too_short = "the file ends before the image is complete";

    std::span<const std::byte> marker_data(std::string_view prefix) const {
        for (jpeg_saved_marker_ptr marker = decompress_.marker_list; marker != nullptr; marker = marker->next) {
            const std::span<const std::byte> data = std::as_bytes(std::span(marker->data, marker->data_length));
            if (data.size() < prefix.size() || std::memcmp(data.data(), prefix.data(), prefix.size()) != 0) continue;
            return data.subspan(prefix.size());
        }
        return {};
    }

    /// Whether the scans that were read hold every component, in a progressive file to the last bit: a file that ends
    /// between two scans lacks those that follow, and libjpeg doesn't mind.
    bool has_all_scans() const {
        if (decompress_.coef_bits == nullptr) {
            bool all = true;
            for (int component = 0; component < components(); ++component) all = all && scanned_[index(component)];
            return all;
        }
        for (int component = 0; component < components(); ++component)
            for (const int missing_bits : decompress_.coef_bits[component])
                if (missing_bits != 0) return false;
        return true;
    }

    bool attempt(void (*action)(JpegSession&)) {
        if (setjmp(failure_) != 0) return false;
        action(*this);
        return true;
    }

    [[noreturn]] void fail(const char* why) {
        if (why != message_) std::snprintf(message_, sizeof message_, "%s", why);
        std::longjmp(failure_, 1);
    }

    void note(const char* what) {
        if (warning_[0] == 0) std::snprintf(warning_, sizeof warning_, "%s", what);
    }

    /// Fails, or where damage is accepted notes it.
    void damaged(const char* what) {
        if (!accept_damaged_) fail(what);
        note(what);
    }

    template <class Info>
    static JpegSession& session_of(Info* info) {
        return *static_cast<JpegSession*>(info->client_data);
    }

    [[noreturn]] static void on_error(j_common_ptr info) {
        JpegSession& session = session_of(info);
        info->err->format_message(info, session.message_);
        std::longjmp(session.failure_, 1);
    }

    static void on_message(j_common_ptr info, int level) {
        constexpr int warning = -1;
        JpegSession& session = session_of(info);
        if (level != warning || session.has_pixels_) return;
        switch (info->err->msg_code) {
            case JWRN_ADOBE_XFORM:
            case JWRN_BOGUS_ICC:
            case JWRN_EXTRANEOUS_DATA:
            case JWRN_JFIF_MAJOR:
            case JWRN_NOT_SEQUENTIAL:
                return;
            case JWRN_HIT_MARKER:
                if (session.has_ended_) return session.damaged(too_short);
                break;
            default:
                break;
        }
        // After any other warning libjpeg invents pixels.
        info->err->format_message(info, session.message_);
        session.damaged(session.message_);
    }

    static boolean on_end_of_data(j_decompress_ptr decompress) {
        static constexpr JOCTET end_of_image[] = {0xFF, JPEG_EOI};
        JpegSession& session = session_of(decompress);
        // Where the pixels end may be the end of the file: if one is missing, a warning follows.
        if (!session.has_header_) session.damaged(too_short);
        session.has_ended_ = true;
        session.source_.next_input_byte = end_of_image;
        session.source_.bytes_in_buffer = sizeof end_of_image;
        return TRUE;
    }

    static void skip(j_decompress_ptr decompress, long count) {
        if (count <= 0) return;
        jpeg_source_mgr& source = session_of(decompress).source_;
        // At the end of the data libjpeg calls on_end_of_data next.
        const std::size_t step = std::min(index(count), source.bytes_in_buffer);
        source.next_input_byte += step;
        source.bytes_in_buffer -= step;
    }

    static void check_scans(j_common_ptr info) {
        const auto* const decompress = reinterpret_cast<j_decompress_ptr>(info);
        JpegSession& session = session_of(info);
        if (decompress->input_scan_number > max_scans) session.fail("it has more than 500 scans");
        for (int i = 0; i < decompress->comps_in_scan; ++i)
            session.scanned_[index(decompress->cur_comp_info[i]->component_index)] = true;
    }

    jpeg_decompress_struct decompress_{};
    jpeg_error_mgr errors_{};
    jpeg_source_mgr source_{};
    jpeg_progress_mgr progress_{};
    std::jmp_buf failure_{};
    char message_[JMSG_LENGTH_MAX]{}, warning_[JMSG_LENGTH_MAX]{};
    std::array<bool, MAX_COMPONENTS> scanned_{};
    bool accept_damaged_;
    bool has_header_ = false, has_ended_ = false, has_pixels_ = false;
    bool with_exif_ = false;
    std::uint8_t* pixels_ = nullptr;
    std::size_t row_size_ = 0;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
