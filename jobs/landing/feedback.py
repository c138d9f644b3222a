"""Feedback: reviews, tickets of customer service, answers to the survey after an order.

Asked of the service that the aftersales desk uses too.
"""

from jobs.landing.aftersales import pull as pull

SCHEDULE = "30 5 * * *"  # Every morning, before the service desk opens and reads what is new.
