"""What every model shares: device, weights, KV cache, decode loop, sampling, quantisation.

Knows tokens; knows neither text nor HTTP.
"""
