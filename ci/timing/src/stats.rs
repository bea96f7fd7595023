//! Welch's t-test of two classes of times.

/// Which part of all measurements is kept, from the fastest on. The rest is noise of the machine, or it hides a small difference.
const KEPT: [f64; 7] = [1.0, 0.99, 0.95, 0.9, 0.8, 0.7, 0.5];

/// Of all ways to keep a part of the measurements. Times are in nanoseconds.
pub struct Found {
    /// Of both classes, where the noise is least.
    pub mean: f64,
    /// The largest |t|.
    pub t: f64,
    /// Of the two means where |t| is largest.
    pub difference: f64,
    /// The smallest difference that gives a t of 4.5, where the noise is least.
    pub visible: f64,
}

pub fn difference(times: &[Vec<f64>; 2]) -> Found {
    let mut all = times.concat();
    all.sort_by(f64::total_cmp);
    let welch = |kept: f64| {
        let limit = all[((all.len() as f64 * kept) as usize).clamp(1, all.len()) - 1];
        let [(n0, mean0, variance0), (n1, mean1, variance1)] =
            times.each_ref().map(|times| moments(times.iter().copied().filter(|time| *time <= limit)));
        let error = (variance0 / n0 + variance1 / n1).sqrt();
        let difference = (mean0 - mean1).abs();
        Found { mean: (mean0 + mean1) / 2.0, t: difference / error, difference, visible: 4.5 * error }
    };
    let found = KEPT.map(welch);
    let sharpest = found.iter().min_by(|a, b| a.visible.total_cmp(&b.visible)).expect("one of them");
    let most = found.iter().max_by(|a, b| a.t.total_cmp(&b.t)).expect("one of them");
    Found { mean: sharpest.mean, visible: sharpest.visible, t: most.t, difference: most.difference }
}

/// Number, mean and variance (Welford).
fn moments(times: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let (mut n, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for time in times {
        n += 1.0;
        let from_old = time - mean;
        mean += from_old / n;
        squares += from_old * (time - mean);
    }
    (n, mean, squares / (n - 1.0))
}
