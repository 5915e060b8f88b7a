/* For browsers that are too old for the pages: says what stands there for those without JavaScript. */
document.getElementById('app').innerHTML = document.getElementsByTagName('noscript')[0].textContent;
