package scaling

import (
	"math"
	"math/rand/v2"
)

// Hottest returns which part of all matches the hottest of so many shards gets,
// where keys are as unlike as words are (Zipf, exponent one): the most of several
// throws. One shard is one process's: it bounds what windows can take.
func Hottest(keys, shards int, seed uint64) float64 {
	r := rand.New(rand.NewPCG(seed, 2))
	most := 0.0
	for range 20 {
		sums := make([]float64, shards)
		total := 0.0
		for k := 1; k <= keys; k++ {
			weight := 1 / float64(k)
			sums[r.IntN(shards)] += weight
			total += weight
		}
		hottest := 0.0
		for _, s := range sums {
			hottest = math.Max(hottest, s/total)
		}
		most = math.Max(most, hottest)
	}
	return most
}
