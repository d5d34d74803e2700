//! Points on two logarithmic axes, drawn as SVG. The points of a series are joined by a line. A thin cross shows how far the
//! values of a point spread.

use maud::{Markup, PreEscaped, html};

use crate::scale::LogScale;

// All lengths are in the units of the drawing.

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 44.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 54.0;

/// The colors and lines of a plot.
const STYLE: &str = include_str!("log_plot.css");

/// What an axis shows, with its unit.
pub struct Axis<'a> {
    pub name: &'a str,
    /// Writes a value beside a tick.
    pub value: fn(f64) -> String,
}

/// Points that belong together, in the order in which the line joins them.
pub struct Series<'a> {
    pub name: &'a str,
    pub points: Vec<Point>,
}

/// A point: the smallest value, the median, and the largest value in each direction.
pub struct Point {
    pub x: (f64, f64, f64),
    pub y: (f64, f64, f64),
    /// What stands beside the point.
    pub label: String,
    /// What the point says, in words.
    pub words: String,
}

/// The plot. It brings its own style. `title` says in words what it shows.
pub fn log_plot(title: &str, x_axis: &Axis, y_axis: &Axis, series: &[Series]) -> Markup {
    let points = || series.iter().flat_map(|series| &series.points);
    let x = LogScale::new(
        points().flat_map(|point| [point.x.0, point.x.2]),
        (LEFT, WIDTH - RIGHT),
    );
    let y = LogScale::new(
        points().flat_map(|point| [point.y.0, point.y.2]),
        (HEIGHT - BOTTOM, TOP),
    );
    html! {
        svg.plot xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(title) {
            title { (title) }
            style { (PreEscaped(STYLE)) }
            rect.paper width=(WIDTH) height=(HEIGHT) {}
            g.axes {
                @for tick in x.ticks() {
                    @let at = x.place(tick);
                    line x1=(at) x2=(at) y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                    text x=(at) y=(HEIGHT - BOTTOM + 18.0) text-anchor="middle" { ((x_axis.value)(tick)) }
                }
                @for tick in y.ticks() {
                    @let at = y.place(tick);
                    line x1=(LEFT) x2=(WIDTH - RIGHT) y1=(at) y2=(at) {}
                    text x=(LEFT - 8.0) y=(at + 4.0) text-anchor="end" { ((y_axis.value)(tick)) }
                }
                text x=((LEFT + WIDTH - RIGHT) / 2.0) y=(HEIGHT - 10.0) text-anchor="middle" { (x_axis.name) }
                text x="8" y="16" { (y_axis.name) }
            }
            @for (at, series) in series.iter().enumerate() {
                g class=(format!("series{at}")) { (drawn(series, &x, &y, label_at(at))) }
            }
            (legend(series))
        }
    }
}

/// How far below its point a label stands. Two lines often meet, so the labels of the first stand below it, and all others
/// above.
fn label_at(series: usize) -> f64 {
    if series == 0 { 16.0 } else { -9.0 }
}

fn drawn(series: &Series, x: &LogScale, y: &LogScale, label_at: f64) -> Markup {
    let places = series.points.iter().map(|point| {
        let (x, y) = (x.place(point.x.1), y.place(point.y.1));
        format!("{x},{y}")
    });
    let line: Vec<String> = places.collect();
    html! {
        polyline points=(line.join(" ")) {}
        @for point in &series.points {
            @let (at_x, at_y) = (x.place(point.x.1), y.place(point.y.1));
            g {
                title { (point.words) }
                line x1=(x.place(point.x.0)) x2=(x.place(point.x.2)) y1=(at_y) y2=(at_y) {}
                line x1=(at_x) x2=(at_x) y1=(y.place(point.y.0)) y2=(y.place(point.y.2)) {}
                circle cx=(at_x) cy=(at_y) r="4.5" {}
                text x=(at_x + 8.0) y=(at_y + label_at) { (point.label) }
            }
        }
    }
}

fn legend(series: &[Series]) -> Markup {
    let right = WIDTH - RIGHT - 8.0;
    html! {
        @for (at, series) in (0_u32..).zip(series) {
            @let y = HEIGHT - BOTTOM - 14.0 - 20.0 * f64::from(at);
            g class=(format!("series{at}")) {
                circle cx=(right - 4.0) cy=(y - 4.0) r="4.5" {}
                text x=(right - 14.0) y=(y) text-anchor="end" { (series.name) }
            }
        }
    }
}

/// A plot as a file of its own.
pub fn stand_alone(plot: &Markup) -> String {
    format!("{}\n", plot.0)
}
