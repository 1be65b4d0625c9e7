package scaling

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Death is a role in which one process dies under load.
type Death struct {
	Rate       float64       // records a second into all partitions
	Capacity   float64       // records a second that one process does
	Processes  int           // before
	Partitions int           //
	Session    time.Duration // until the group knows of the death
	Replay     time.Duration // until a partition that has moved goes on
}

// Outcome is what comes of it.
type Outcome struct {
	Behind   time.Duration // how far the slowest partition falls behind
	CatchUp  time.Duration // from the death until all have caught up
	Diverges bool          // the others are not enough: they never do
}

// tick is the step of the simulation.
const tick = 100 * time.Millisecond

// Simulate lets one process die, and follows the queues of the partitions. Records
// spread over partitions as hashes do: not quite evenly. A process divides its
// time evenly over its partitions that have work.
func (d Death) Simulate(seed uint64) Outcome {
	r := rand.New(rand.NewPCG(seed, 1))
	rates := spread(r, d.Rate, d.Partitions)
	owner := make([]int, d.Partitions)
	for p := range owner {
		owner[p] = p % d.Processes
	}
	queue := make([]float64, d.Partitions)
	ready := make([]time.Duration, d.Partitions) // when its owner can go on
	var worst time.Duration
	for now := time.Duration(0); now < 2*time.Hour; now += tick {
		if now == d.Session {
			moved := 0
			for p := range owner {
				if owner[p] == 0 {
					owner[p] = 1 + moved%(d.Processes-1)
					ready[p] = now + d.Replay
					moved++
				}
			}
		}
		step(queue, rates, owner, ready, now, d)
		behind := time.Duration(0)
		for p := range queue {
			behind = max(behind, time.Duration(queue[p]/rates[p]*float64(time.Second)))
		}
		worst = max(worst, behind)
		if now > d.Session && behind < time.Second {
			return Outcome{Behind: worst, CatchUp: now}
		}
	}
	return Outcome{Behind: worst, Diverges: true}
}

// step moves time on by a tick.
func step(queue, rates []float64, owner []int, ready []time.Duration, now time.Duration, d Death) {
	first := 0
	if now < d.Session {
		first = 1 // process 0 is dead, and its partitions are still its own
	}
	for p := range queue {
		queue[p] += rates[p] * tick.Seconds()
	}
	for process := first; process < d.Processes; process++ {
		left := d.Capacity * tick.Seconds()
		var mine []int
		for p := range queue {
			if owner[p] == process && ready[p] <= now && queue[p] > 0 {
				mine = append(mine, p)
			}
		}
		slices.SortFunc(mine, func(a, b int) int { return int(1e6 * (queue[a] - queue[b])) })
		for i, p := range mine { // what a short queue does not need is for the longer ones
			done := min(queue[p], left/float64(len(mine)-i))
			queue[p] -= done
			left -= done
		}
	}
}

// spread divides a rate over partitions as the hashes of a second's records do.
func spread(r *rand.Rand, rate float64, partitions int) []float64 {
	mean := rate / float64(partitions)
	out := make([]float64, partitions)
	for p := range out {
		deviation := r.NormFloat64() * mean / 20
		out[p] = max(mean/2, mean+deviation)
	}
	return out
}
